"""The preset `auto`: chooses settings by the text, the time and the speed of the device.

The tables come from measurements on two CPU cores (docs/benchmarks.md). GPUs and long runs are not tuned yet: networks
of more than 512 units, and word models of more than 384, follow published models.
"""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from charrnn_cli.config import Level, ModelSettings, OptimizerName, TrainingSettings
from charrnn_cli.network.speed import (
    GPU_STREAMS,
    GPU_TOKENS,
    REFERENCE_FLOPS,
    Speed,
    matrix_weights,
    operations_per_token,
)
from charrnn_cli.setting import defaults
from charrnn_cli.training.presets import Preset, changed_model
from charrnn_cli.wording import rounded

Bound = tuple[str, float]  # a name in config.BOUNDS, and its value
UNTIL_STALLED: dict[str, Any] = {"schedule": "plateau", "patience": 5}  # the validation loss ends the run
EXPECTED_EPOCHS = 30.0  # if the validation loss ends a run from scratch, on words or on a short list
LEARNED_EPOCHS = 10.0  # the same for other fine-tuning on characters
MOST_EPOCHS = 12.0  # of fine-tuning on characters with a cosine; with more, the validation loss ends the run
FINE_TUNING_RATE, FINE_TUNING_WORD_RATE = 1e-3, 2e-3  # the learning rate for a trained model
CPU_STREAMS, FINE_TUNING_STREAMS = 16, 64  # on a CPU. Many streams read many parts of the text at once
LEAST_WINDOWS = 20  # windows per epoch and stream; shorter texts get fewer streams, but at least CPU_STREAMS
MOST_SHUFFLED = 10_000_000  # tokens of documents. A longer text is read too few times to learn their order
WARMUP: int = defaults(TrainingSettings)["warmup"]  # steps, with CPU_STREAMS
ROUNDED_LIMIT = 1.001  # a limit of 30 minutes may come out as slightly more


@dataclass(frozen=True)
class Size:
    """A network of two layers, and the longest run on the machine of the tables for which it is the best size."""

    minutes: float  # in longer runs, or on a faster machine, a larger network reaches a lower loss
    hidden: int
    learning_rate: float  # of AdamW
    soap_rate: float | None = None  # of SOAP; None: AdamW is always used
    streams: int = CPU_STREAMS  # at most, on a CPU

    def model(self, level: Level) -> ModelSettings:
        if level == "word":
            return ModelSettings(hidden=self.hidden, embedding=self.hidden, tie_weights=True, layer_norm=True)
        return ModelSettings(hidden=self.hidden, layer_norm=True)


CPU_SIZES = (Size(2.5, 256, 6e-3, 6e-3, 32), Size(30, 384, 4e-3, 6e-3, 32), Size(math.inf, 512, 3e-3, 4e-3, 32))
GPU_SIZES = (Size(4, 256, 6e-3), Size(30, 384, 4e-3), Size(1000, 512, 3e-3), Size(math.inf, 768, 2e-3))
CPU_WORD_SIZES = (Size(2.5, 256, 3e-3, 4e-3), Size(math.inf, 384, 3e-3, 4e-3))
GPU_WORD_SIZES = (Size(60, 256, 3e-3), Size(600, 512, 2e-3), Size(math.inf, 768, 1.5e-3))


@dataclass(frozen=True)
class Dropout:
    """The three kinds of dropout: a row of a table."""

    at: float  # the number of epochs, or the crowding
    dropout: float
    input_dropout: float
    weight_drop: float


@dataclass(frozen=True)
class Regularization(Dropout):
    """What keeps a network from memorizing a text."""

    weight_decay: float


DropoutRow = TypeVar("DropoutRow", bound=Dropout)

# Measured near these numbers of epochs, except the last row.
REGULARIZATION_BY_EPOCHS = (
    Regularization(2.2, 0.0, 0.0, 0.0, 0.1),
    Regularization(4, 0.1, 0.0, 0.0, 0.1),
    Regularization(6, 0.2, 0.0, 0.0, 0.2),
    Regularization(9, 0.3, 0.0, 0.0, 0.3),
    Regularization(12, 0.3, 0.0, 0.12, 0.3),
    Regularization(26, 0.35, 0.0, 0.22, 0.3),
    Regularization(60, 0.45, 0.1, 0.35, 0.3),
    Regularization(200, 0.6, 0.3, 0.6, 0.3),
)
FINE_TUNING = (
    *REGULARIZATION_BY_EPOCHS[:2],
    Regularization(6.5, 0.1, 0.0, 0.1, 0.2),
    Regularization(10, 0.1, 0.0, 0.1, 0.2),
    Regularization(20, 0.2, 0.0, 0.2, 0.2),
    Regularization(30, 0.4, 0.0, 0.4, 0.2),
    Regularization(70, 0.5, 0.2, 0.5, 0.3),
    REGULARIZATION_BY_EPOCHS[-1],
)
WORD_REGULARIZATION = (
    Regularization(1.6, 0.0, 0.0, 0.0, 0.3),
    Regularization(3.5, 0.2, 0.1, 0.0, 0.3),
    Regularization(8, 0.35, 0.2, 0.0, 0.3),
    Regularization(20, 0.5, 0.4, 0.0, 0.3),
)
# Upper limits of dropout and weight drop from scratch on characters, by `Budget.crowding`. If this number is small, a
# network memorizes little of the text, and dropout only slows its learning. Measured between 1.4 and about 600.
MOST_BY_CROWDING = (
    Dropout(2, 0.0, 0.0, 0.0),
    Dropout(11, 0.1, 0.0, 0.0),
    Dropout(37, 0.2, 0.0, 0.07),
    Dropout(200, 0.3, 0.0, 0.15),
    Dropout(300, 0.36, 0.0, 0.25),
    Dropout(600, 0.45, 0.1, 0.35),
    Dropout(2000, 0.6, 0.3, 0.6),
)


@dataclass(frozen=True)
class TrainingText:
    """The properties of a text that the settings depend on."""

    level: Level
    vocabulary_size: int
    tokens: int  # of the training part
    validated: bool = False  # whether another part is held out for validation
    documents: bool = False  # whether it consists of documents
    short_list: bool = False  # whether these are a few short lines


@dataclass(frozen=True)
class Budget:
    """A text, the limit of the run, the number of GPUs (0: the CPU), the speed, and what the user sets."""

    text: TrainingText
    bound: Bound | None
    gpus: int
    speed: Speed
    settings: Mapping[str, Any] = field(default_factory=dict)
    streams: int = CPU_STREAMS  # at most, on a CPU

    @property
    def sizes(self) -> tuple[Size, ...]:
        if self.text.level == "word":
            return GPU_WORD_SIZES if self.gpus else CPU_WORD_SIZES
        return GPU_SIZES if self.gpus else CPU_SIZES

    @property
    def seq_length(self) -> int:
        return GPU_TOKENS if self.gpus else 64

    @property
    def batch_size(self) -> int:
        if self.gpus:
            streams = GPU_STREAMS * self.gpus
        else:
            streams = max(CPU_STREAMS, min(self.streams, self.text.tokens // self.seq_length // LEAST_WINDOWS))
        return max(1, min(streams, (self.text.tokens - 1) // self.seq_length))

    @property
    def tokens_per_step(self) -> int:
        batch_size: int = self.settings.get("batch_size", self.batch_size)
        return batch_size * int(self.settings.get("seq_length", self.seq_length))

    def epochs(self, model: ModelSettings) -> float:
        """How many times the text will be read."""
        match self.bound:
            case None:
                return EXPECTED_EPOCHS
            case "minutes", minutes:
                return 60 * minutes * self.speed.tokens_per_second(model) / self.text.tokens
            case "steps", steps:
                return steps * self.tokens_per_step / self.text.tokens
            case _, epochs:
                return epochs

    def crowding(self, model: ModelSettings, epochs: float) -> float:
        """The epochs times the weights of the network per token of the text: how much of it can be memorized."""
        return epochs * matrix_weights(model, self.text.vocabulary_size) / self.text.tokens

    def reference_minutes(self, model: ModelSettings) -> float:
        """The time of the run on the machine of the tables."""
        operations = self.epochs(model) * self.text.tokens * operations_per_token(model, self.text.vocabulary_size)
        return operations / REFERENCE_FLOPS[self.text.level] / 60


def auto(
    text: TrainingText,
    bound: Bound | None,
    speed: Speed,
    gpus: int = 0,
    origin: ModelSettings | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Preset:
    """Settings for a text, the limit of the run, and the speed of these GPUs, or of the CPU.

    The network is the one that learns most in the time, or that of a trained model, `origin`. The regularization grows
    with the number of times that the text will be read, by a network and a batch whose sizes may be in `settings`, set
    by the user. From scratch on characters, dropout and weight drop also have upper limits, by the size of the network
    and the length of the text. From scratch on a CPU, the optimizer of a run with a limit is SOAP. Without a limit, the
    learning rate is halved each time that the validation loss does not improve, and training ends after several such
    validations. The same holds for fine-tuning on characters if the limit allows more than MOST_EPOCHS, the text has a
    validation part and the user sets no schedule. The documents of a text are shuffled, unless a trained model learns
    them.
    """
    level, budget = text.level, Budget(text, bound, gpus, speed, settings or {})
    if origin and level == "word":
        size = Size(math.inf, origin.hidden, FINE_TUNING_WORD_RATE)
    elif origin:
        size = Size(math.inf, origin.hidden, FINE_TUNING_RATE, streams=FINE_TUNING_STREAMS)
    else:
        size = _best_size(budget)
    budget = replace(budget, streams=size.streams)
    model = changed_model(origin or size.model(level), budget.settings)
    limited_epochs = budget.epochs(model)
    tunes_letters = origin is not None and level != "word"
    stalls_early = tunes_letters and text.validated and limited_epochs > MOST_EPOCHS
    until_stalled = bound is None or (stalls_early and "schedule" not in budget.settings)
    epochs = limited_epochs
    if until_stalled:
        epochs = LEARNED_EPOCHS if tunes_letters and not text.short_list else EXPECTED_EPOCHS
    ending: dict[str, Any] = (UNTIL_STALLED if until_stalled else {}) | dict([bound] if bound else [])
    row = _regularization(budget, model, epochs, fine_tuning=origin is not None)
    optimizer: OptimizerName = budget.settings.get("optimizer", "soap" if size.soap_rate and bound else "adamw")
    training = TrainingSettings(
        batch_size=budget.batch_size,
        seq_length=budget.seq_length,
        optimizer=optimizer,
        weight_decay=row.weight_decay,
        learning_rate=size.soap_rate if size.soap_rate and optimizer == "soap" else size.learning_rate,
        warmup=WARMUP if gpus and not origin else WARMUP * CPU_STREAMS // max(CPU_STREAMS, budget.batch_size),
        calibrate=True,
        random_offset=level != "word",
        shuffle_documents=text.documents and not origin and text.tokens <= MOST_SHUFFLED,
        **ending,
    )
    model = replace(model, dropout=row.dropout, input_dropout=row.input_dropout, weight_drop=row.weight_drop)
    return Preset(model, training, (level,), _reason(budget, limited_epochs, until_stalled))


def _reason(budget: Budget, epochs: float, until_stalled: bool) -> str:
    """What the settings were chosen for, and what was measured."""
    if budget.bound is None:
        return "for a run until the validation loss stops improving"
    name, amount = budget.bound
    reason = f"for {'at most' if until_stalled else 'about'} {rounded(epochs)} epochs"
    if name == "minutes":
        reason += f" in {rounded(amount)} min"
    if until_stalled:
        reason += ", until the validation loss stops improving"
    speeds = [f"{shape} at {rounded(speed)} tokens/s" for shape, speed in budget.speed.measured.items()]
    return f"{reason}; measured: {', '.join(speeds)}" if speeds else reason


def _regularization(budget: Budget, model: ModelSettings, epochs: float, fine_tuning: bool) -> Regularization:
    """The row for this number of epochs, with at most the dropout that this network and text need."""
    if budget.text.level == "word":
        return _between(WORD_REGULARIZATION, epochs)
    if fine_tuning:
        return _between(FINE_TUNING, epochs)
    row = _between(REGULARIZATION_BY_EPOCHS, epochs)
    most = _between(MOST_BY_CROWDING, budget.crowding(model, epochs))
    return replace(
        row,
        dropout=min(row.dropout, most.dropout),
        input_dropout=min(row.input_dropout, most.input_dropout),
        weight_drop=min(row.weight_drop, most.weight_drop),
    )


def _between(rows: tuple[DropoutRow, ...], x: float) -> DropoutRow:
    """The row at x, on a line from row to row over the logarithm of x, rounded to two decimal places.

    So an error of the measured speed, which x follows from, changes little.
    """
    at, *columns = zip(*map(astuple, rows), strict=True)
    return type(rows[0])(x, *(round(float(np.interp(math.log(x), np.log(at), column)), 2) for column in columns))


def _best_size(budget: Budget) -> Size:
    """The smallest network that is still the best one at the end of the run."""
    for size in budget.sizes:
        minutes = replace(budget, streams=size.streams).reference_minutes(size.model(budget.text.level))
        if minutes <= ROUNDED_LIMIT * size.minutes:
            break
    return size
