import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.network.speed import Speed
from charrnn_cli.training.auto import TrainingText, auto
from charrnn_cli.training.presets import PRESETS, named, with_changes


def test_anna_has_the_settings_of_the_tutorial():
    preset = PRESETS["anna"]()
    model, training = preset.model, preset.training
    assert (model.layers, model.hidden, model.embedding, model.dropout, model.residual) == (2, 512, 0, 0.5, False)
    assert (training.batch_size, training.seq_length, training.learning_rate) == (100, 100, 0.001)
    assert (training.schedule, training.warmup, training.clip, training.epochs) == ("constant", 0, 5.0, 20)


def test_a_new_limit_replaces_that_of_the_preset():
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


def test_a_preset_is_refused_for_another_level():
    with pytest.raises(UsageError, match="`preset=ptb-small` is for the level word, but this run has level char"):
        named("ptb-small", "char")
    with pytest.raises(UsageError, match=r"`preset` must be one of auto, anna, .*, got 'nonsense'"):
        named("nonsense", "char")


@pytest.mark.parametrize(
    ("settings", "sizes"), [({}, (200, 200)), ({"hidden": 30}, (30, 30)), ({"embedding": 40}, (40, 40))]
)
def test_if_weights_are_tied_one_size_follows_the_other(settings, sizes):
    model = with_changes(named("ptb-small", "word"), {"tie_weights": True, **settings}).model
    assert (model.hidden, model.embedding) == sizes


def test_tied_sizes_that_differ_are_refused():
    with pytest.raises(UsageError, match=r"embedding 10 and hidden 20. Pass `embedding=20`, or `tie_weights=False`"):
        with_changes(named("ptb-small", "word"), {"tie_weights": True, "embedding": 10, "hidden": 20})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"weight_decay": 0.1, "optimizer": "adam"},
            "`weight_decay` has no effect with `optimizer=adam`.*`optimizer=adamw`",
        ),
        ({"forget_bias": 1.0, "cell": "gru"}, "`forget_bias` has no effect with `cell=gru`"),
        ({"max_epoch": 3}, "`max_epoch` has no effect with `schedule=cosine`"),
        ({"lr_decay": 0.3, "schedule": "linear"}, "`schedule=epoch-decay` or `schedule=plateau`"),
        ({"embedding": 0, "tie_weights": True}, "embedding 0 and hidden 512"),
    ],
)
def test_settings_without_effect_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        with_changes(auto(TrainingText("char", 80, 10**6), ("minutes", 60), Speed(80, 2e11)), settings)
