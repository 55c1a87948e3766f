"""Named settings with their source, and `auto`: settings fit for the corpus and the device."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn_cli.config import Level, ModelSettings, TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.wording import about

AUTO = "auto"
AUTO_SOURCE = "fit for the text, the time and the device"
UNBOUNDED: dict[str, Any] = {"schedule": "plateau", "patience": 5}
UNBOUNDED_EPOCHS = 20.0  # that such a run may take
Bound = tuple[str, float]  # a name of config.BOUNDS and how many
NEEDS = {  # settings that mean something with some values of another one only
    "weight_decay": ("optimizer", ("adamw",)),
    "forget_bias": ("cell", ("lstm",)),
    "max_epoch": ("schedule", ("epoch-decay",)),
    "lr_decay": ("schedule", ("epoch-decay", "plateau")),
}
LETTERS: tuple[Level, ...] = ("char", "byte")
WORDS: tuple[Level, ...] = ("word",)


@dataclass(frozen=True)
class Preset:
    """Settings for a run, the levels that they are meant for, and where they come from."""

    model: ModelSettings
    training: TrainingSettings
    levels: tuple[Level, ...]
    source: str


def anna() -> Preset:
    """The Anna Karenina char-RNN tutorial's model to the letter, its three known defects mended.

    One-hot input; dropout on both layers' outputs, as its cells are wrapped; a constant rate. The random resets of the
    hidden state are ours: without them no model knows how a text begins.
    """
    return Preset(
        ModelSettings(hidden=512, layers=2, embedding=0, dropout=0.5, residual=False),
        TrainingSettings(
            batch_size=100,
            seq_length=100,
            learning_rate=0.001,
            schedule="constant",
            warmup=0,
            clip=5.0,
            epochs=20,
            checkpoint_every=200,
        ),
        LETTERS,
        "Anna Karenina char-RNN tutorial",
    )


def ptb(
    hidden: int,
    steps: int,
    scale: float,
    keep: float,
    max_epoch: int,
    epochs: int,
    decay: float,
    clip: float = 5.0,
    layers: int = 2,
) -> Preset:
    """A model of the TensorFlow PTB tutorial (Zaremba et al., arXiv 1409.2329), by the numbers of its configurations.

    The loss is summed over the steps of a window and averaged over the streams, which is what its rate of 1 and its
    clip mean; dropout is on the embedding, between layers and before the head; the rate decays from `max_epoch` on. The
    random resets of the hidden state are ours, as in `anna`.
    """
    return Preset(
        ModelSettings(
            hidden=hidden,
            layers=layers,
            embedding=hidden,
            dropout=1 - keep,
            input_dropout=1 - keep,
            residual=False,
            forget_bias=0.0,
            init_scale=scale,
        ),
        TrainingSettings(
            batch_size=20,
            seq_length=steps,
            optimizer="sgd",
            learning_rate=1.0,
            schedule="epoch-decay",
            max_epoch=max_epoch,
            lr_decay=decay,
            warmup=0,
            clip=clip,
            loss_per="window",
            reset=0.01,
            epochs=epochs,
        ),
        WORDS,
        "TensorFlow PTB tutorial, arXiv 1409.2329",
    )


def ptb_small() -> Preset:
    """Published: validation perplexity 121.39, test 115.91."""
    return ptb(hidden=200, steps=20, scale=0.1, keep=1.0, max_epoch=4, epochs=13, decay=0.5)


def ptb_medium() -> Preset:
    """Published: validation perplexity 86.16, test 82.07."""
    return ptb(hidden=650, steps=35, scale=0.05, keep=0.5, max_epoch=6, epochs=39, decay=0.8)


def ptb_large() -> Preset:
    """Published: validation perplexity 82.62, test 78.29."""
    return ptb(hidden=1500, steps=35, scale=0.04, keep=0.35, max_epoch=14, epochs=55, decay=1 / 1.15, clip=10.0)


def ptb_test() -> Preset:
    """A smoke test: it runs, and learns next to nothing."""
    return ptb(hidden=2, steps=2, scale=0.1, keep=1.0, max_epoch=1, epochs=1, decay=0.5, clip=1.0, layers=1)


def ptb_modern() -> Preset:
    """A model of ours that learns the same text better in an hour of two CPU cores.

    What it has of AWD-LSTM (Merity et al., arXiv 1708.02182): one matrix for reading and writing, weight drop, weight
    decay, heavy dropout. What it has not: three layers, averaged weights, hundreds of epochs.
    """
    return Preset(
        ModelSettings(
            hidden=448,
            layers=2,
            embedding=448,
            dropout=0.5,
            input_dropout=0.3,
            weight_drop=0.2,
            layer_norm=True,
            tie_weights=True,
        ),
        TrainingSettings(
            batch_size=20,
            seq_length=35,
            optimizer="adamw",
            weight_decay=0.2,
            learning_rate=0.003,
            calibrate=True,
            reset=0.01,
            epochs=18,
        ),
        WORDS,
        "ours, for an hour of two CPU cores",
    )


def script() -> Preset:
    """The TV-script tutorial's model: word level, embedding, two layers, Adam, each gradient clipped to 1.

    The tutorial leaves the sizes to its reader: those here are ours, and so are the random resets of the hidden state.
    """
    return Preset(
        ModelSettings(hidden=256, layers=2, embedding=256, dropout=0.0, residual=False),
        TrainingSettings(
            batch_size=128,
            seq_length=20,
            learning_rate=0.001,
            schedule="constant",
            warmup=0,
            clip=0.0,
            clip_value=1.0,
            epochs=50,
        ),
        WORDS,
        "TV-script tutorial",
    )


PRESETS: dict[str, Callable[[], Preset]] = {
    "anna": anna,
    "script": script,
    "ptb-small": ptb_small,
    "ptb-medium": ptb_medium,
    "ptb-large": ptb_large,
    "ptb-test": ptb_test,
    "ptb-modern": ptb_modern,
}


def named(name: str, level: Level) -> Preset:
    """The preset `name` for a run of `level`. Raises UsageError where there is none, or not for that level."""
    if name not in PRESETS:
        raise UsageError(f"--preset {name!r} is none of {', '.join((AUTO, *PRESETS))}. What they are: charrnn presets")
    preset = PRESETS[name]()
    if level not in preset.levels:
        fit = ", ".join((AUTO, *(other for other, make in PRESETS.items() if level in make().levels)))
        raise UsageError(
            f"--preset {name} is for the level {' or '.join(preset.levels)}, and this run's is {level}. For that there "
            f"are {fit}; or prepare the text anew: charrnn prepare TEXT --level {preset.levels[0]} --name NAME"
        )
    return preset


@dataclass(frozen=True)
class Size:
    """A network of two layers, and how long its training is worth its time."""

    minutes: float  # after which a larger one has learned more
    hidden: int
    learning_rate: float

    def model(self, level: Level) -> ModelSettings:
        """Its shape; words share one matrix between reading and writing."""
        if level == "word":
            return ModelSettings(hidden=self.hidden, embedding=self.hidden, tie_weights=True, layer_norm=True)
        return ModelSettings(hidden=self.hidden, layer_norm=True)


@dataclass(frozen=True)
class Regularisation:
    """What keeps a network from learning by heart a text that it reads up to so many times."""

    epochs: float
    dropout: float
    input_dropout: float
    weight_drop: float
    weight_decay: float


REGULARISATION = (
    Regularisation(3, 0.0, 0.0, 0.0, 0.1),
    Regularisation(5, 0.1, 0.0, 0.0, 0.1),
    Regularisation(8, 0.2, 0.0, 0.0, 0.2),
    Regularisation(20, 0.3, 0.0, 0.0, 0.3),
    Regularisation(40, 0.3, 0.0, 0.5, 0.3),
    Regularisation(150, 0.5, 0.2, 0.5, 0.3),
    Regularisation(math.inf, 0.6, 0.3, 0.6, 0.3),
)
FINE_TUNING = (*REGULARISATION[:2], Regularisation(40, 0.4, 0.0, 0.4, 0.2), *REGULARISATION[-2:])
WORD_REGULARISATION = (
    Regularisation(2, 0.0, 0.0, 0.0, 0.3),
    Regularisation(5, 0.2, 0.1, 0.0, 0.3),
    Regularisation(12, 0.35, 0.2, 0.0, 0.3),
    Regularisation(math.inf, 0.5, 0.4, 0.0, 0.3),
)
CPU_SIZES = (Size(4, 256, 6e-3), Size(30, 384, 4e-3), Size(math.inf, 512, 3e-3))
GPU_SIZES = (Size(math.inf, 512, 3e-3),)
WORD_SIZES = (Size(math.inf, 256, 3e-3),)
FINE_TUNING_RATE = 2e-3
CPU_FLOPS, WORD_FLOPS, GPU_FLOPS = 2e11, 1.25e11, 2e13  # a second, in training; of words on a CPU


def auto(
    level: Level,
    vocabulary_size: int,
    train_tokens: int,
    bound: Bound | None,
    gpus: int = 0,
    origin: ModelSettings | None = None,
) -> Preset:
    """Settings fit for a corpus of `train_tokens`, what bounds the run, and so many GPUs, or the CPU.

    The network is the one that learns most in the time, or that of a trained model, its `origin`; dropout grows with
    how often the text will be read. Without a bound the rate is held, and halved where validation stalls, until nothing
    gets better. The numbers are from runs on two CPU cores that tests/benchmarks/README.md lists; those of a GPU and of
    long runs are not tuned yet.
    """
    words = level == "word"
    sizes = WORD_SIZES if words else GPU_SIZES if gpus else CPU_SIZES
    flops = gpus * GPU_FLOPS or (WORD_FLOPS if words else CPU_FLOPS)
    if origin:
        sizes = (Size(math.inf, origin.hidden, FINE_TUNING_RATE),)
    batch_size, seq_length = (64 * gpus, 100) if gpus else (16, 64)
    batch_size = max(1, min(batch_size, (train_tokens - 1) // seq_length))
    for size in sizes:
        model = origin or size.model(level)
        epoch_minutes = _operations(model, vocabulary_size) * train_tokens / flops / 60
        epochs = _epochs(bound, epoch_minutes, train_tokens / (batch_size * seq_length))
        if epochs * epoch_minutes <= size.minutes:
            break
    rows = WORD_REGULARISATION if words else FINE_TUNING if origin else REGULARISATION
    against = next((row for row in rows if epochs < row.epochs), rows[-1])  # the last: NaN is refused later
    model = dataclasses.replace(
        model, dropout=against.dropout, input_dropout=against.input_dropout, weight_drop=against.weight_drop
    )
    training = TrainingSettings(
        batch_size=batch_size,
        seq_length=seq_length,
        optimizer="adamw",
        weight_decay=against.weight_decay,
        learning_rate=size.learning_rate,
        calibrate=True,
        **(UNBOUNDED if bound is None else dict([bound])),
    )
    why = f"for about {about(epochs)} epochs in {about(epochs * epoch_minutes)} min"
    return Preset(model, training, (level,), why)


def _operations(model: ModelSettings, vocabulary_size: int) -> int:
    """Of training, for each token: two for each weight on the way forward, four on the way back."""
    E, H, L = model.embedding, model.hidden, model.layers
    return 6 * (4 * H * (E + H) + (L - 1) * 8 * H * H + H * vocabulary_size)


def _epochs(bound: Bound | None, epoch_minutes: float, epoch_steps: float) -> float:
    """How often the text will be read."""
    match bound:
        case None:
            return UNBOUNDED_EPOCHS
        case "minutes", minutes:
            return minutes / epoch_minutes
        case "steps", steps:
            return steps / epoch_steps
        case _, epochs:
            return epochs


def with_changes(preset: Preset, flags: dict[str, Any]) -> Preset:
    """The preset with the settings that the user named; a bound that is named takes the place of the preset's.

    Of a tied pair of sizes the one that is not named follows the other. Raises UsageError.
    """
    model = {name: value for name, value in flags.items() if name in ModelSettings.__dataclass_fields__}
    training = {name: value for name, value in flags.items() if name in TrainingSettings.__dataclass_fields__}
    if model.get("tie_weights", preset.model.tie_weights):
        if "embedding" not in model:
            model["embedding"] = model.get("hidden", preset.model.hidden)
        elif "hidden" not in model and model["embedding"]:
            model["hidden"] = model["embedding"]
    changed = dataclasses.replace(
        preset,
        model=dataclasses.replace(preset.model, **model),
        training=preset.training.with_changes(training),
    )
    has = {**dataclasses.asdict(changed.model), **dataclasses.asdict(changed.training)}
    for flag, (needs, values) in NEEDS.items():
        if flag in flags and has[needs] not in values:
            raise UsageError(
                f"--{flag.replace('_', '-')} has no meaning with --{needs} {has[needs]}: leave it out, or give "
                f"--{needs} {' or '.join(values)}"
            )
    return changed
