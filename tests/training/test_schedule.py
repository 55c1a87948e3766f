import pytest

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.schedule import learning_rate


def test_warm_up_is_linear_and_the_cosine_ends_at_zero():
    settings = TrainingSettings(steps=1000, learning_rate=1.0, warmup=10)
    assert [learning_rate(settings, step, 0.0) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    rates = [learning_rate(settings, 500, progress / 10) for progress in range(11)]
    assert rates == sorted(rates, reverse=True)
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.0)
    assert learning_rate(settings, 500, 1.2) == pytest.approx(0.0)


def test_constant_is_constant():
    settings = TrainingSettings(steps=10, learning_rate=0.5, schedule="constant", warmup=0)
    assert {learning_rate(settings, step, step / 10) for step in range(10)} == {0.5}
