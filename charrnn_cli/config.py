"""Settings as frozen dataclasses: the only place where a default is written.

The flags of the command line read their defaults from here; `config.json` is made of them.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from charrnn_cli.errors import UsageError

Level = Literal["char", "byte"]
Schedule = Literal["cosine", "constant"]
Unknown = Literal["error", "skip"]  # what to do with tokens of a prime that the model lacks
Settings = TypeVar("Settings")
BOUNDS = ("epochs", "steps", "minutes")  # what can bound a run


@dataclass(frozen=True)
class PrepareSettings:
    """How a text becomes ids."""

    level: Level = "char"
    encoding: str = "utf-8"
    valid: float = 0.05  # share of the text
    test: float = 0.05  # share of the text, its end
    min_count: int = 1

    def __post_init__(self) -> None:
        _one_of("--level", self.level, get_args(Level))
        _require("--valid", self.valid, 0 <= self.valid < 1, "from 0 up to, not including, 1")
        _require("--test", self.test, 0 <= self.test < 1, "from 0 up to, not including, 1")
        _require("--valid and --test together", self.valid + self.test, self.valid + self.test < 1, "below 1")
        _require("--min-count", self.min_count, self.min_count >= 1, "1 or more")
        if self.level == "byte" and self.encoding != "utf-8":
            raise UsageError(f"--encoding {self.encoding} has no meaning at --level byte: bytes stay as they are.")
        if self.level == "byte" and self.min_count > 1:
            raise UsageError("--min-count has no meaning at --level byte: bytes have no unknown token. Leave it out.")


@dataclass(frozen=True)
class ModelSettings:
    """The shape of the network."""

    hidden: int = 384
    layers: int = 2
    embedding: int = 128  # 0: one-hot input
    dropout: float = 0.1  # on each layer's output
    residual: bool = True  # around layers of equal size

    def __post_init__(self) -> None:
        _require("--hidden", self.hidden, 1 <= self.hidden <= 65536, "from 1 to 65536")
        _require("--layers", self.layers, 1 <= self.layers <= 64, "from 1 to 64")
        _require("--embedding", self.embedding, 0 <= self.embedding <= 65536, "from 0 (one-hot) to 65536")
        _require("--dropout", self.dropout, 0 <= self.dropout < 1, "from 0 up to, not including, 1")


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained. Of `epochs`, `steps` and `minutes` exactly one bounds the run."""

    batch_size: int = 16  # streams side by side
    seq_length: int = 64  # tokens of a window
    learning_rate: float = 3e-3
    schedule: Schedule = "cosine"
    warmup: int = 100  # steps
    clip: float = 1.0  # global norm of the gradients; 0: off
    reset: float = 0.04  # probability that a stream's hidden state is zeroed before a window
    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    checkpoint_every: int | None = None  # steps; None: as often as stays under 2 % of the time
    keep: int = 3  # checkpoints, besides the best

    def __post_init__(self) -> None:
        _require("--batch-size", self.batch_size, self.batch_size >= 1, "1 or more")
        _require("--seq-length", self.seq_length, self.seq_length >= 1, "1 or more")
        _require("--learning-rate", self.learning_rate, 0 < self.learning_rate < math.inf, "above 0")
        _one_of("schedule", self.schedule, get_args(Schedule))
        _require("warmup", self.warmup, self.warmup >= 0, "0 or more")
        _require("--clip", self.clip, 0 <= self.clip < math.inf, "0 (off) or more")
        _require("reset", self.reset, 0 <= self.reset <= 1, "from 0 to 1")
        amounts = [getattr(self, bound) for bound in BOUNDS]
        for bound, amount in zip(BOUNDS, amounts, strict=True):
            _require(f"--{bound}", amount, amount is None or 0 < amount < math.inf, "above 0")
        if sum(amount is not None for amount in amounts) != 1:
            raise UsageError("a run has one bound: give one of --epochs, --steps and --minutes.")
        _require("--seed", self.seed, 0 <= self.seed < 2**63, "from 0 to 2**63 - 1")
        every = self.checkpoint_every
        _require("--checkpoint-every", every, every is None or every >= 1, "1 or more")
        _require("--keep", self.keep, self.keep >= 1, "1 or more")

    @property
    def bound(self) -> tuple[str, float]:
        """What bounds the run, "epochs", "steps" or "minutes", and how many."""
        return next((bound, amount) for bound in BOUNDS if (amount := getattr(self, bound)) is not None)

    def with_changes(self, changes: Mapping[str, Any]) -> "TrainingSettings":
        """These settings with some changed; a new bound takes the place of the old one. Raises UsageError."""
        if any(bound in changes for bound in BOUNDS):
            changes = {**dict.fromkeys(BOUNDS), **changes}
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class SamplingSettings:
    """How the next token is drawn, and how many."""

    length: int = 500  # tokens after the prime
    temperature: float = 0.5
    top_n: int = 0  # 0: all tokens

    def __post_init__(self) -> None:
        _require("--length", self.length, self.length >= 0, "0 or more")
        _require("--temperature", self.temperature, 0 <= self.temperature < math.inf, "0 (the likeliest) or more")
        _require("--top-n", self.top_n, self.top_n >= 0, "0 (all) or more")


def settings_from(kind: type[Settings], record: Mapping[str, Any]) -> Settings:
    """Settings of `kind` from a JSON object; keys of an older or newer charrnn are ignored."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # every kind here is a dataclass
    return kind(**{field.name: record[field.name] for field in fields if field.name in record})


def _require(what: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise UsageError(f"{what} must be {wanted}, and is {value}.")


def _one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    _require(what, value, value in choices, " or ".join(choices))
