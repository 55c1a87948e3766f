from typing import get_args

import pytest

from charrnn_cli.config import Level
from charrnn_cli.network.speed import GPU_FLOPS, REFERENCE_FLOPS, Speed, operations_per_token
from charrnn_cli.training.auto import TrainingText, auto

BOOK = 1_000_000  # tokens


def choose(level, vocabulary_size, tokens, bound, gpus=0, factor=1.0, origin=None, settings=None, **facts):
    """What auto chooses on a CPU that is `factor` times as fast as that of the tables, or on GPUs."""
    flops = gpus * GPU_FLOPS if gpus else REFERENCE_FLOPS[level]
    text = TrainingText(level, vocabulary_size, tokens, **facts)
    return auto(text, bound, Speed(vocabulary_size, factor * flops), gpus, origin, settings)


@pytest.mark.parametrize("tokens", [2, 50, 1_000, 100_000, 10_000_000, 10_000_000_000])
@pytest.mark.parametrize("bound", [None, ("minutes", 1.0), ("epochs", 3), ("steps", 100)])
@pytest.mark.parametrize("gpus", [0, 1, 8])
@pytest.mark.parametrize("level", get_args(Level))
def test_auto_fits_every_text_and_keeps_the_limit(level, bound, tokens, gpus):
    preset = choose(level, 100, tokens, bound, gpus)
    assert 1 <= preset.training.batch_size < tokens
    assert preset.training.bound == bound
    assert (bound is None) == (preset.training.patience is not None)
    assert ("epochs" in preset.source) == (bound is not None)
    assert ("in " in preset.source) == (bound is not None and bound[0] == "minutes")


def row(preset):
    model, training = preset.model, preset.training
    return (
        *(training.optimizer, model.hidden, training.learning_rate, training.batch_size, training.seq_length),
        *(model.dropout, model.input_dropout, model.weight_drop, training.weight_decay),
    )


@pytest.mark.parametrize(
    ("level", "vocabulary_size", "bound", "expected"),
    [
        ("char", 65, ("minutes", 1), ("soap", 256, 6e-3, 32, 64, 0.0, 0.0, 0.0, 0.1)),
        ("char", 65, ("minutes", 4), ("soap", 384, 6e-3, 32, 64, 0.08, 0.0, 0.0, 0.1)),
        ("char", 65, ("minutes", 9), ("soap", 384, 6e-3, 32, 64, 0.14, 0.0, 0.0, 0.3)),
        ("char", 65, ("minutes", 30), ("soap", 384, 6e-3, 32, 64, 0.23, 0.0, 0.09, 0.3)),
        ("char", 65, ("minutes", 60), ("soap", 512, 4e-3, 32, 64, 0.27, 0.0, 0.13, 0.3)),
        ("char", 65, ("minutes", 6000), ("soap", 512, 4e-3, 32, 64, 0.6, 0.3, 0.6, 0.3)),
        ("char", 65, ("epochs", 2), ("soap", 256, 6e-3, 32, 64, 0.0, 0.0, 0.0, 0.1)),
        ("char", 65, ("epochs", 30), ("soap", 384, 6e-3, 32, 64, 0.23, 0.0, 0.09, 0.3)),
        ("char", 65, None, ("adamw", 384, 4e-3, 32, 64, 0.23, 0.0, 0.09, 0.3)),
        ("word", 10_000, ("minutes", 10), ("soap", 384, 4e-3, 16, 64, 0.06, 0.03, 0.0, 0.3)),
        ("word", 10_000, ("minutes", 6000), ("soap", 384, 4e-3, 16, 64, 0.5, 0.4, 0.0, 0.3)),
    ],
)
def test_what_the_machine_of_the_tables_gets(level, vocabulary_size, bound, expected):
    assert row(choose(level, vocabulary_size, BOOK, bound)) == expected


@pytest.mark.parametrize("tokens", [100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("gpus", [0, 1])
def test_dropout_grows_with_the_number_of_epochs(level, tokens, gpus):
    models = [choose(level, 80, tokens, ("minutes", minutes), gpus).model for minutes in (1, 5, 10, 20, 60, 600_000)]
    for name in ("dropout", "input_dropout", "weight_drop"):
        shares = [getattr(model, name) for model in models]
        assert shares == sorted(shares) or gpus  # a larger network of a GPU may read the text fewer times
        assert shares[-1] > 0 or (name, level) == ("weight_drop", "word")
    assert [model.hidden for model in models] == sorted(model.hidden for model in models)


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize("tokens", [2_000, 100_000, BOOK])
@pytest.mark.parametrize("minutes", [0.01, 1, 2, 3, 8, 20, 60, 1e6])
def test_a_small_error_of_the_speed_changes_little(level, tuned, tokens, minutes):
    origin = choose(level, 80, BOOK, ("minutes", 60)).model if tuned else None
    bound = "minutes", minutes
    slower, faster = (choose(level, 80, tokens, bound, factor=factor, origin=origin) for factor in (1, 1.1))
    assert slower.model.hidden == faster.model.hidden
    for name in ("dropout", "input_dropout", "weight_drop"):
        assert 0 <= getattr(faster.model, name) - getattr(slower.model, name) <= 0.05
    assert 0 <= faster.training.weight_decay - slower.training.weight_decay <= 0.05


def test_dropout_fits_the_batch_and_the_network_that_the_user_sets():
    def dropout(bound, **settings):
        return choose("char", 80, BOOK // 10, bound, settings=settings).model.dropout

    assert dropout(("steps", 200), batch_size=64) == dropout(("steps", 400), batch_size=32)
    assert dropout(("steps", 200), batch_size=64) > dropout(("steps", 200), batch_size=16)
    assert dropout(("steps", 200), seq_length=128) == dropout(("steps", 400), seq_length=64)
    assert dropout(("minutes", 1), hidden=2048) < dropout(("minutes", 1))


@pytest.mark.parametrize("epochs", [12, 26, 60])
def test_a_long_text_gets_less_dropout_because_a_network_memorizes_less_of_it(epochs):
    sizes = [30_000, 100_000, BOOK, 10 * BOOK, 1000 * BOOK]
    models = [choose("char", 65, size, ("epochs", epochs), settings={"hidden": 384}).model for size in sizes]
    for name in ("dropout", "weight_drop"):
        shares = [getattr(model, name) for model in models]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] > shares[-1] == 0


def test_fine_tuning_uses_weight_drop_earlier():
    origin = choose("char", 80, BOOK, ("minutes", 60)).model
    fresh, tuned = (choose("char", 80, BOOK, ("epochs", 6), origin=model).model for model in (None, origin))
    assert fresh.weight_drop == 0 < tuned.weight_drop


@pytest.mark.parametrize("bound", [("minutes", 1), ("epochs", 13), ("steps", 200)])
def test_a_trained_model_that_could_read_a_text_often_stops_by_itself(bound):
    origin = choose("char", 80, BOOK, ("minutes", 60)).model
    preset = choose("char", 80, 2_600, bound, origin=origin, validated=True)
    unlimited = choose("char", 80, 2_600, None, origin=origin)
    short_list = choose("char", 80, 2_600, bound, origin=origin, validated=True, short_list=True)
    assert (row(preset), preset.training.patience) == (row(unlimited), unlimited.training.patience)
    assert (preset.training.schedule, preset.training.bound) == ("plateau", bound)
    assert "at most" in preset.source
    assert short_list.training.patience == preset.training.patience
    assert short_list.model.dropout > preset.model.dropout
    for other in (
        choose("char", 80, 2_600, ("epochs", 12), origin=origin, validated=True),
        choose("char", 80, 2_600, bound, validated=True),  # from scratch
        choose("char", 80, 2_600, bound, origin=origin),
        choose("char", 80, 2_600, bound, origin=origin, validated=True, settings={"schedule": "cosine"}),
        choose("word", 80, 2_600, bound, origin=choose("word", 80, BOOK, ("minutes", 60)).model, validated=True),
    ):
        assert (other.training.schedule, other.training.patience) == ("cosine", None)
        assert "at most" not in other.source


@pytest.mark.parametrize(
    ("level", "tokens", "streams", "rate"),
    [
        *[("char", 18_000, (16, 16), 1e-3), ("char", 50_000, (32, 39), 1e-3)],
        *[("byte", BOOK, (32, 64), 1e-3), ("word", BOOK, (16, 16), 2e-3)],
    ],
)
def test_fine_tuning_reads_more_streams_if_the_text_fills_them(level, tokens, streams, rate):
    origin = choose(level, 80, BOOK, ("minutes", 60)).model
    fresh, tuned = (choose(level, 80, tokens, ("epochs", 6), origin=model).training for model in (None, origin))
    assert (fresh.batch_size, tuned.batch_size) == streams
    assert tuned.learning_rate == rate < fresh.learning_rate
    assert tuned.warmup * tuned.batch_size == pytest.approx(fresh.warmup * fresh.batch_size, rel=0.05)  # windows


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("epochs", [1, 10, 100])
def test_soap_learns_from_scratch_on_a_cpu_if_the_run_has_a_limit(level, epochs):
    def optimizer(bound, **where):
        return choose(level, 80, BOOK, bound, **where).training.optimizer

    limit = "epochs", epochs
    assert optimizer(limit) == "soap"
    assert optimizer(None) == optimizer(limit, gpus=1) == "adamw"
    assert optimizer(limit, origin=choose(level, 80, BOOK, limit).model) == "adamw"


@pytest.mark.parametrize(("epochs", "gpus"), [(2, 0), (8, 0), (30, 0), (8, 1)])
def test_the_learning_rate_is_that_of_the_optimizer_of_the_user(epochs, gpus):
    rates = [
        choose("char", 80, BOOK, ("epochs", epochs), gpus, settings={"optimizer": name}).training
        for name in ("adamw", "soap")
    ]
    assert [training.optimizer for training in rates] == ["adamw", "soap"]
    assert rates[0].learning_rate <= rates[1].learning_rate
    assert (rates[0].learning_rate, rates[1].learning_rate) == {2: (6e-3, 6e-3)}.get(epochs, (4e-3, 6e-3)) or gpus


def test_a_limit_in_epochs_counts_as_the_minutes_that_it_takes():
    for epochs in (1, 2, 3, 4, 6, 8, 10, 30, 60):
        by_epochs = choose("char", 80, BOOK, ("epochs", epochs))
        steps = round(epochs * BOOK / (by_epochs.training.batch_size * by_epochs.training.seq_length))
        by_steps = choose("char", 80, BOOK, ("steps", steps))
        assert by_steps.model.hidden == by_epochs.model.hidden
        assert by_steps.model.dropout == pytest.approx(by_epochs.model.dropout, abs=0.01)
    by_epochs = choose("char", 80, BOOK, ("epochs", 30))
    assert choose("char", 80, BOOK // 10, ("epochs", 30)).model.hidden < by_epochs.model.hidden


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("gpus", [0, 1])
@pytest.mark.parametrize("minutes", [0.5, 3, 10, 60, 600])
def test_a_faster_machine_gets_what_a_slower_one_gets_in_more_time(level, gpus, minutes):
    """Half the time at twice the speed reads as many tokens."""
    reference = choose(level, 80, BOOK, ("minutes", minutes), gpus)
    for factor in (0.2, 0.25, 2.0, 4.0):  # a T4 and a H200 compared with the constant, and other CPUs
        other = choose(level, 80, BOOK, ("minutes", minutes / factor), gpus, factor)
        assert row(other) == row(reference)


def test_the_speed_decides_the_size_and_the_regularization():
    sizes, dropouts = zip(
        *(
            (preset.model.hidden, preset.model.dropout)
            for preset in (choose("char", 65, BOOK, ("minutes", 10), 0, factor) for factor in (0.25, 1.0, 4.0))
        ),
        strict=True,
    )
    assert sizes == (256, 384, 512)
    assert dropouts[0] < dropouts[1]


@pytest.mark.parametrize(
    ("level", "minutes", "factor", "hidden"),
    [
        ("char", 1, 1.0, 512),
        ("char", 1, 0.2, 384),  # a T4
        ("char", 1, 2.0, 512),  # a H200
        ("char", 10, 0.2, 512),
        ("char", 10, 2.0, 768),
        ("word", 1, 0.2, 256),
        ("word", 1, 1.0, 512),
        ("word", 10, 0.2, 512),
        ("word", 10, 2.0, 768),
    ],
)
def test_on_a_gpu_the_size_depends_on_its_speed_and_the_time(level, minutes, factor, hidden):
    assert (
        choose(level, 10_000 if level == "word" else 65, BOOK, ("minutes", minutes), 1, factor).model.hidden == hidden
    )


def test_a_gpu_on_which_large_networks_are_slow_gets_fewer_epochs_not_another_rule():
    """The size depends on the tokens per second of each network, not on its operations alone."""

    class Uneven(Speed):
        def tokens_per_second(self, model):
            return super().tokens_per_second(model) / (10 if model.hidden > 256 else 1)

    even, uneven = (kind(65, GPU_FLOPS) for kind in (Speed, Uneven))
    presets = [auto(TrainingText("char", 65, BOOK), ("minutes", 1), speed, gpus=1) for speed in (even, uneven)]
    assert [preset.model.hidden for preset in presets] == [512, 384]


def test_the_reason_says_what_was_measured():
    speed = Speed(65, 2e11)
    speed.measured["2 x 256"] = 23456.0
    source = auto(TrainingText("char", 65, BOOK), ("minutes", 10), speed).source
    assert source.endswith("epochs in 10 min; measured: 2 x 256 at 23,000 tokens/s")
    tokens = 2e11 / operations_per_token(auto(TrainingText("char", 65, BOOK), ("minutes", 10), speed).model, 65)
    assert source.startswith(f"for about {600 * tokens / BOOK:.2g} epochs")
