from typing import get_args

import pytest

from charrnn_cli.config import Schedule, TrainingSettings
from charrnn_cli.training.counters import Counters
from charrnn_cli.training.schedule import SCHEDULES, learning_rate


def rate(settings, step=0, epoch=0, progress=0.0, cuts=0, recoveries=0):
    counters = Counters(step=step, epoch=epoch, cuts=cuts, recoveries=recoveries)
    return learning_rate(settings, counters, progress)


def test_every_schedule_of_the_settings_has_an_entry():
    assert set(SCHEDULES) == set(get_args(Schedule))


def test_each_recovery_halves_the_learning_rate():
    settings = TrainingSettings(steps=10, learning_rate=0.8, schedule="constant", warmup=0)
    assert [rate(settings, recoveries=count) for count in range(4)] == [0.8, 0.4, 0.2, 0.1]


def test_warm_up_is_linear_and_the_cosine_ends_at_zero():
    settings = TrainingSettings(steps=1000, learning_rate=1.0, warmup=10)
    assert [rate(settings, step, 0, 0.0, 0) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    rates = [rate(settings, 500, 0, progress / 10, 0) for progress in range(11)]
    assert rates == sorted(rates, reverse=True)
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.0)
    assert rate(settings, 500, 0, 1.2, 0) == pytest.approx(0.0)


def test_linear_is_a_line_to_zero():
    settings = TrainingSettings(steps=10, learning_rate=0.5, schedule="linear", warmup=0)
    rates = [rate(settings, 0, 0, progress, 0) for progress in (0.0, 0.25, 0.5, 1.0, 1.5)]
    assert rates == pytest.approx([0.5, 0.375, 0.25, 0.0, 0.0])


def test_constant_is_constant():
    settings = TrainingSettings(steps=10, learning_rate=0.5, schedule="constant", warmup=0)
    assert {rate(settings, step, step, step / 10, step) for step in range(10)} == {0.5}


def test_epoch_decay_starts_after_max_epoch_epochs():
    """Copies of the PTB tutorial count from the last epoch and so never decay."""
    settings = TrainingSettings(
        epochs=13, learning_rate=1.0, schedule="epoch-decay", max_epoch=4, lr_decay=0.5, warmup=0
    )
    rates = [rate(settings, 0, epoch, 0.0, 0) for epoch in range(13)]
    assert rates == [1.0] * 4 + [0.5**k for k in range(1, 10)]


def test_plateau_is_lower_after_each_cut():
    settings = TrainingSettings(steps=9, learning_rate=1.0, schedule="plateau", lr_decay=0.1, warmup=0)
    assert [rate(settings, 5, 5, 0.5, cuts) for cuts in range(3)] == pytest.approx([1.0, 0.1, 0.01])
