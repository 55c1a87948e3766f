from typing import get_args

import pytest

from charrnn_cli.config import Level
from charrnn_cli.training.auto import auto


@pytest.mark.parametrize("tokens", [2, 50, 1_000, 100_000, 10_000_000, 10_000_000_000])
@pytest.mark.parametrize("bound", [None, ("minutes", 1.0), ("epochs", 3), ("steps", 100)])
@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("level", get_args(Level))
def test_auto_fits_every_text_and_keeps_the_limit(level, bound, tokens, gpu):
    preset = auto(level, 100, tokens, bound, gpu)
    assert 1 <= preset.training.batch_size < tokens
    assert preset.training.bound == bound
    assert (bound is None) == (preset.training.patience is not None)
    assert ("epochs" in preset.source) == (bound is not None)
    assert ("in " in preset.source) == (bound is not None and bound[0] == "minutes")


@pytest.mark.parametrize("tokens", [100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("level", get_args(Level))
def test_dropout_grows_with_the_number_of_epochs(level, tokens):
    models = [auto(level, 80, tokens, ("minutes", minutes), gpus=0).model for minutes in (1, 5, 10, 20, 60, 6000)]
    for name in ("dropout", "input_dropout", "weight_drop"):
        shares = [getattr(model, name) for model in models]
        assert shares == sorted(shares)
        assert shares[-1] > 0 or (name, level) == ("weight_drop", "word")
    assert [model.hidden for model in models] == sorted(model.hidden for model in models)


def test_fine_tuning_uses_weight_drop_earlier():
    origin = auto("char", 80, 10**6, ("minutes", 60)).model
    fresh, tuned = (auto("char", 80, 10**6, ("epochs", 6), origin=model).model for model in (None, origin))
    assert fresh.weight_drop == 0 < tuned.weight_drop


def test_more_time_gets_a_larger_network():
    first, *_, last = (auto("char", 80, 10**6, ("minutes", minutes), gpus=0).model for minutes in (1, 10, 60))
    assert first.hidden < last.hidden


def test_a_limit_in_epochs_counts_as_the_minutes_that_it_takes():
    by_epochs = auto("char", 80, 10**6, ("epochs", 30), gpus=0)
    steps = 30 * 10**6 // (by_epochs.training.batch_size * by_epochs.training.seq_length)
    assert auto("char", 80, 10**6, ("steps", steps), gpus=0).model == by_epochs.model
    assert auto("char", 80, 10**5, ("epochs", 30), gpus=0).model.hidden < by_epochs.model.hidden


def test_a_slower_machine_gets_what_it_can_train_in_the_time():
    fast = auto("char", 65, 1_000_000, ("minutes", 10))
    slow = auto("char", 65, 1_000_000, ("minutes", 10), cpu_speed=0.1)
    assert slow.training.weight_decay <= fast.training.weight_decay
    assert slow.model.dropout < fast.model.dropout
