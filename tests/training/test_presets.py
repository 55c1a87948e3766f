from typing import get_args

import pytest

from charrnn_cli.config import Level
from charrnn_cli.errors import UsageError
from charrnn_cli.training.presets import PRESETS, auto, named, with_changes


def test_anna_is_the_tutorial_to_the_letter():
    preset = PRESETS["anna"]()
    model, training = preset.model, preset.training
    assert (model.layers, model.hidden, model.embedding, model.dropout, model.residual) == (2, 512, 0, 0.5, False)
    assert (training.batch_size, training.seq_length, training.learning_rate) == (100, 100, 0.001)
    assert (training.schedule, training.warmup, training.clip, training.epochs) == ("constant", 0, 5.0, 20)


@pytest.mark.parametrize("tokens", [2, 50, 1_000, 100_000, 10_000_000, 10_000_000_000])
@pytest.mark.parametrize("bound", [None, ("minutes", 1.0), ("epochs", 3), ("steps", 100)])
@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("level", get_args(Level))
def test_auto_fits_every_text_and_keeps_to_the_bound(level, bound, tokens, gpu):
    preset = auto(level, 100, tokens, bound, gpu)
    assert 1 <= preset.training.batch_size < tokens
    assert preset.training.bound == bound
    assert (bound is None) == (preset.training.patience is not None)
    assert "epochs" in preset.source


@pytest.mark.parametrize("tokens", [100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("level", get_args(Level))
def test_auto_drops_more_the_more_often_a_text_is_read(level, tokens):
    models = [auto(level, 80, tokens, ("minutes", minutes), gpus=0).model for minutes in (1, 5, 10, 20, 60, 6000)]
    for name in ("dropout", "input_dropout", "weight_drop"):
        shares = [getattr(model, name) for model in models]
        assert shares == sorted(shares)
        assert shares[-1] > 0 or (name, level) == ("weight_drop", "word")
    assert [model.hidden for model in models] == sorted(model.hidden for model in models)


def test_auto_drops_weights_sooner_where_a_trained_model_goes_on():
    origin = auto("char", 80, 10**6, ("minutes", 60)).model
    anew, goes_on = (auto("char", 80, 10**6, ("epochs", 6), origin=begun).model for begun in (None, origin))
    assert anew.weight_drop == 0 < goes_on.weight_drop


def test_auto_takes_a_larger_network_for_more_time():
    first, *_, last = (auto("char", 80, 10**6, ("minutes", minutes), gpus=0).model for minutes in (1, 10, 60))
    assert first.hidden < last.hidden


def test_a_bound_in_epochs_means_what_it_takes_in_minutes():
    by_epochs = auto("char", 80, 10**6, ("epochs", 30), gpus=0)
    steps = 30 * 10**6 // (by_epochs.training.batch_size * by_epochs.training.seq_length)
    assert auto("char", 80, 10**6, ("steps", steps), gpus=0).model == by_epochs.model
    assert auto("char", 80, 10**5, ("epochs", 30), gpus=0).model.hidden < by_epochs.model.hidden


def test_a_bound_that_is_named_takes_the_place_of_the_presets():
    preset = with_changes(PRESETS["anna"](), {"minutes": 2.0, "hidden": 8})
    assert (preset.training.minutes, preset.training.epochs, preset.model.hidden) == (2.0, None, 8)
    assert preset.training.batch_size == 100


@pytest.mark.parametrize(
    ("name", "hidden", "steps", "scale", "keep", "max_epoch", "epochs", "decay", "clip", "layers"),
    [
        ("ptb-small", 200, 20, 0.1, 1.0, 4, 13, 0.5, 5, 2),
        ("ptb-medium", 650, 35, 0.05, 0.5, 6, 39, 0.8, 5, 2),
        ("ptb-large", 1500, 35, 0.04, 0.35, 14, 55, 1 / 1.15, 10, 2),
        ("ptb-test", 2, 2, 0.1, 1.0, 1, 1, 0.5, 1, 1),
    ],
)
def test_the_ptb_presets_are_the_published_ones(
    name, hidden, steps, scale, keep, max_epoch, epochs, decay, clip, layers
):
    preset = named(name, "word")
    model, training = preset.model, preset.training
    assert (model.cell, model.hidden, model.embedding, model.layers) == ("lstm", hidden, hidden, layers)
    assert (model.dropout, model.input_dropout) == pytest.approx((1 - keep, 1 - keep))
    assert (model.init_scale, model.forget_bias, model.tie_weights, model.residual) == (scale, 0, False, False)
    assert (training.optimizer, training.learning_rate, training.clip, training.warmup) == ("sgd", 1.0, clip, 0)
    assert (training.schedule, training.max_epoch, training.epochs) == ("epoch-decay", max_epoch, epochs)
    assert (training.lr_decay, training.seq_length, training.batch_size) == (decay, steps, 20)
    assert training.loss_per == "window"


def test_a_preset_is_for_its_levels():
    with pytest.raises(UsageError, match="--preset ptb-small is for the level word, and this run's is char"):
        named("ptb-small", "char")
    with pytest.raises(UsageError, match="'nonsense' is none of auto, anna"):
        named("nonsense", "char")


@pytest.mark.parametrize(
    ("flags", "sizes"), [({}, (200, 200)), ({"hidden": 30}, (30, 30)), ({"embedding": 40}, (40, 40))]
)
def test_of_tied_sizes_one_follows_the_other(flags, sizes):
    model = with_changes(named("ptb-small", "word"), {"tie_weights": True, **flags}).model
    assert (model.hidden, model.embedding) == sizes


def test_tied_sizes_that_differ_are_refused():
    with pytest.raises(UsageError, match="they are 10 and 20: give --embedding 20, or --no-tie-weights"):
        with_changes(named("ptb-small", "word"), {"tie_weights": True, "embedding": 10, "hidden": 20})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"weight_decay": 0.1, "optimizer": "adam"},
            "--weight-decay has no meaning with --optimizer adam: .* --optimizer adamw",
        ),
        ({"forget_bias": 1.0, "cell": "gru"}, "--forget-bias has no meaning with --cell gru"),
        ({"max_epoch": 3}, "--max-epoch has no meaning with --schedule cosine"),
        ({"lr_decay": 0.3, "schedule": "linear"}, "--schedule epoch-decay or plateau"),
        ({"embedding": 0, "tie_weights": True}, "they are 0 and 512"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(flags, message):
    with pytest.raises(UsageError, match=message):
        with_changes(auto("char", 80, 10**6, ("minutes", 60), gpus=0), flags)
