import pytest

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.schedule import learning_rate


def test_warm_up_is_linear_and_the_cosine_ends_at_zero():
    settings = TrainingSettings(steps=1000, learning_rate=1.0, warmup=10)
    assert [learning_rate(settings, step, 0, 0.0, 0) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    rates = [learning_rate(settings, 500, 0, progress / 10, 0) for progress in range(11)]
    assert rates == sorted(rates, reverse=True)
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.0)
    assert learning_rate(settings, 500, 0, 1.2, 0) == pytest.approx(0.0)


def test_linear_is_a_line_to_zero():
    settings = TrainingSettings(steps=10, learning_rate=0.5, schedule="linear", warmup=0)
    rates = [learning_rate(settings, 0, 0, progress, 0) for progress in (0.0, 0.25, 0.5, 1.0, 1.5)]
    assert rates == pytest.approx([0.5, 0.375, 0.25, 0.0, 0.0])


def test_constant_is_constant():
    settings = TrainingSettings(steps=10, learning_rate=0.5, schedule="constant", warmup=0)
    assert {learning_rate(settings, step, step, step / 10, step) for step in range(10)} == {0.5}


def test_epoch_decay_holds_for_max_epoch_epochs_and_then_decays_in_each():
    """Counted from `max_epoch`, not from the last epoch, as the PTB tutorial's copies have it, which never decay."""
    settings = TrainingSettings(
        epochs=13, learning_rate=1.0, schedule="epoch-decay", max_epoch=4, lr_decay=0.5, warmup=0
    )
    rates = [learning_rate(settings, 0, epoch, 0.0, 0) for epoch in range(13)]
    assert rates == [1.0] * 4 + [0.5**k for k in range(1, 10)]


def test_plateau_is_cut_and_holds_between_cuts():
    settings = TrainingSettings(steps=9, learning_rate=1.0, schedule="plateau", lr_decay=0.1, warmup=0)
    assert [learning_rate(settings, 5, 5, 0.5, cuts) for cuts in range(3)] == pytest.approx([1.0, 0.1, 0.01])
