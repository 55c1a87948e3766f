"""Settings as frozen dataclasses: the only place where a default is written.

The flags of the command line read their defaults from here; `config.json` is made of them.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from charrnn_cli.errors import UsageError

Level = Literal["char", "byte", "word"]
SplitOn = Literal["punctuation", "whitespace"]  # where words end
Documents = Literal["file", "line", "record"]  # what is one
Cell = Literal["lstm", "gru", "rnn"]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
Schedule = Literal["cosine", "linear", "constant", "epoch-decay", "plateau"]
LossPer = Literal["token", "window"]
Precision = Literal["auto", "float32", "bfloat16"]
Over = Literal["steps", "epochs", "time", "tokens"]  # what lies along a chart
Unit = Literal["loss", "bits", "perplexity"]  # what stands up in it
Unknown = Literal["error", "skip", "replace"]  # what to do with tokens of a prime that the model lacks
EngineName = Literal["auto", "numpy", "onnx", "torch"]  # what computes the network when it writes
Settings = TypeVar("Settings")
BOUNDS = ("epochs", "steps", "minutes")  # what can bound a run
ENDING = ("cosine", "linear")  # schedules that end with the run
HELD_OUT = 0.05  # of a text, for each of validation and test
HELD_OUT_TOKENS = 1_000_000  # at most: a mean over so many is known to 0.002 nats, and more text is for training


@dataclass(frozen=True)
class PrepareSettings:
    """How a text becomes ids."""

    level: Level = "char"
    encoding: str = "utf-8"
    valid: float | None = None  # share of the text; None: HELD_OUT of it, and no more than HELD_OUT_TOKENS
    test: float | None = None  # the same, at the end of the text
    min_count: int = 1  # tokens that occur less often become the unknown token
    vocab_size: int | None = None  # tokens that are kept at most, the unknown token among them
    split_on: SplitOn = "punctuation"  # at level "word"
    lowercase: bool = False
    documents: Documents | None = None  # what an end-of-document token follows; None: the text is one
    field: str | None = None  # of JSON Lines that has the text; None: "text", in files that are JSON Lines by name

    def __post_init__(self) -> None:
        _one_of("--level", self.level, get_args(Level))
        _one_of("--split-on", self.split_on, get_args(SplitOn))
        shares = [HELD_OUT if share is None else share for share in (self.valid, self.test)]
        for flag, share in zip(("--valid", "--test"), shares, strict=True):
            _require(flag, share, 0 <= share < 1, "from 0 up to, not including, 1")
        _require("--valid and --test together", sum(shares), sum(shares) < 1, "below 1")
        _require("--min-count", self.min_count, self.min_count >= 1, "1 or more")
        size = self.vocab_size
        _require("--vocab-size", size, size is None or size >= 2, "2 or more (a token and the unknown one)")
        if self.level == "byte" and self.encoding != "utf-8":
            raise UsageError(f"--encoding {self.encoding} has no meaning at --level byte: bytes stay as they are.")
        for flag, value in (("--documents", self.documents), ("--field", self.field)):
            if self.level == "byte" and value is not None:
                raise UsageError(
                    f"{flag} {value} has no meaning at --level byte: bytes stay as they are. Leave it out."
                )
        if self.documents is not None:
            _one_of("--documents", self.documents, get_args(Documents))
        changed = {"--min-count": self.min_count > 1, "--vocab-size": size is not None, "--lowercase": self.lowercase}
        for flag in (flag for flag, given in changed.items() if given and self.level == "byte"):
            raise UsageError(f"{flag} has no meaning at --level byte: all 256 bytes are known. Leave it out.")
        if self.level != "word" and self.split_on != "punctuation":
            raise UsageError(f"--split-on {self.split_on} says where words end: add --level word.")


@dataclass(frozen=True)
class ModelSettings:
    """The shape of the network, and how its weights begin."""

    cell: Cell = "lstm"
    hidden: int = 384
    layers: int = 2
    embedding: int = 128  # 0: one-hot input
    dropout: float = 0.1  # on what the layers above the first, and the head, read
    input_dropout: float = 0.0  # on the embedded input
    locked_dropout: bool = False  # the same units for all tokens of a stream's window
    weight_drop: float = 0.0  # on the recurrent weights, the same for all tokens of a window
    residual: bool = True  # around layers of equal size
    layer_norm: bool = False  # of what each layer and the head read; not of one-hot input
    tie_weights: bool = False  # the head's matrix is the embedding's
    forget_bias: float = 1.0  # of an LSTM: what its forget gates begin with
    init_scale: float = 0.0  # weights begin uniform from -init_scale to init_scale; 0: by the size of the layer

    def __post_init__(self) -> None:
        _one_of("--cell", self.cell, get_args(Cell))
        _require("--hidden", self.hidden, 1 <= self.hidden <= 65536, "from 1 to 65536")
        _require("--layers", self.layers, 1 <= self.layers <= 64, "from 1 to 64")
        _require("--embedding", self.embedding, 0 <= self.embedding <= 65536, "from 0 (one-hot) to 65536")
        _require("--dropout", self.dropout, 0 <= self.dropout < 1, "from 0 up to, not including, 1")
        _require("--input-dropout", self.input_dropout, 0 <= self.input_dropout < 1, "from 0 up to, not including, 1")
        _require("--weight-drop", self.weight_drop, 0 <= self.weight_drop < 1, "from 0 up to, not including, 1")
        _require("--forget-bias", self.forget_bias, math.isfinite(self.forget_bias), "a number")
        _require("--init-scale", self.init_scale, 0 <= self.init_scale < math.inf, "0 (by the layer's size) or more")
        if self.tie_weights and self.embedding != self.hidden:
            raise UsageError(
                f"--tie-weights needs an embedding as wide as the layers, and they are {self.embedding} and "
                f"{self.hidden}: give --embedding {self.hidden}, or --no-tie-weights"
            )


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained. `epochs`, `steps` or `minutes` bounds the run, or `patience` alone ends it."""

    batch_size: int = 16  # streams side by side
    seq_length: int = 64  # tokens of a window
    accumulate: int = 1  # parts of the streams that go through the network one after the other, for one step
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.01  # of adamw
    learning_rate: float = 3e-3
    schedule: Schedule = "cosine"
    max_epoch: int = 1  # epochs at the full rate; "epoch-decay" alone
    lr_decay: float = 0.5  # factor of the rate for each epoch after those, or where "plateau" cuts it
    warmup: int = 100  # steps
    clip: float = 1.0  # global norm of the gradients; 0: off
    clip_value: float = 0.0  # of each gradient, before the norm; 0: off
    loss_per: LossPer = "token"  # "window": summed over its steps, averaged over the streams
    precision: Precision = "auto"  # of the products in training; auto: bfloat16 where the device has it
    calibrate: bool = False  # whether validation fits the softmax temperature that the model is used with
    reset: float = 0.04  # probability that a stream's hidden state is zeroed before a window
    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    patience: int | None = None  # validations without a better loss after which the run ends; None: it goes on
    seed: int = 0
    checkpoint_every: int | None = None  # steps; None: as often as stays under 2 % of the time
    keep: int = 3  # checkpoints, besides the best

    def __post_init__(self) -> None:
        _require("--batch-size", self.batch_size, self.batch_size >= 1, "1 or more")
        _require("--seq-length", self.seq_length, self.seq_length >= 1, "1 or more")
        parts, streams = self.accumulate, self.batch_size
        _require("--accumulate", parts, 1 <= parts <= streams, f"from 1 to the {streams} streams of --batch-size")
        _require("--learning-rate", self.learning_rate, 0 < self.learning_rate < math.inf, "above 0")
        _one_of("--optimizer", self.optimizer, get_args(Optimizer))
        _require("--weight-decay", self.weight_decay, 0 <= self.weight_decay < math.inf, "0 or more")
        _one_of("--schedule", self.schedule, get_args(Schedule))
        _require("--max-epoch", self.max_epoch, self.max_epoch >= 0, "0 or more")
        _require("--lr-decay", self.lr_decay, 0 < self.lr_decay <= 1, "above 0, and 1 or less")
        _require("--warmup", self.warmup, self.warmup >= 0, "0 or more")
        _require("--clip", self.clip, 0 <= self.clip < math.inf, "0 (off) or more")
        _require("--clip-value", self.clip_value, 0 <= self.clip_value < math.inf, "0 (off) or more")
        _one_of("--loss-per", self.loss_per, get_args(LossPer))
        _one_of("--precision", self.precision, get_args(Precision))
        _require("--reset", self.reset, 0 <= self.reset <= 1, "from 0 to 1")
        _require("--patience", self.patience, self.patience is None or self.patience >= 1, "1 or more")
        amounts = [getattr(self, bound) for bound in BOUNDS]
        for bound, amount in zip(BOUNDS, amounts, strict=True):
            _require(f"--{bound}", amount, amount is None or 0 < amount < math.inf, "above 0")
        if sum(amount is not None for amount in amounts) > 1:
            raise UsageError("a run has one bound: give one of --epochs, --steps and --minutes.")
        if self.bound is None and (self.patience is None or self.schedule in ENDING):
            raise UsageError(
                f"a run without --minutes, --epochs or --steps needs --patience and a --schedule that knows no end, "
                f"and has the schedule {self.schedule}: give it a bound, or --patience 5 --schedule plateau."
            )
        _require("--seed", self.seed, 0 <= self.seed < 2**63, "from 0 to 2**63 - 1")
        every = self.checkpoint_every
        _require("--checkpoint-every", every, every is None or every >= 1, "1 or more")
        _require("--keep", self.keep, self.keep >= 1, "1 or more")

    @property
    def bound(self) -> tuple[str, float] | None:
        """What bounds the run, "epochs", "steps" or "minutes", and how many; None: it ends by its patience alone."""
        return next(((bound, amount) for bound in BOUNDS if (amount := getattr(self, bound)) is not None), None)

    def with_changes(self, changes: Mapping[str, Any]) -> "TrainingSettings":
        """These settings with some changed; a new bound takes the place of the old one. Raises UsageError."""
        if any(bound in changes for bound in BOUNDS):
            changes = {**dict.fromkeys(BOUNDS), **changes}
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class SamplingSettings:
    """How the next token is drawn, and where a text ends."""

    length: int = 500  # tokens after the prime, at most
    temperature: float = 0.8
    top_n: int = 0  # 0: all tokens
    top_p: float = 0.9  # 1: all tokens
    min_p: float = 0.0  # 0: all tokens
    repetition_penalty: float = 1.0  # 1: none
    repetition_window: int = 64  # tokens
    ban: tuple[str, ...] = ()  # texts whose tokens are never drawn
    allow_only: tuple[str, ...] = ()  # texts whose tokens alone are drawn, where there are any
    allow_unknown: bool = False  # whether the unknown token may be drawn
    stop: tuple[str, ...] = ()  # texts that end it
    keep_stop: bool = False
    until_line: bool = False  # whether it goes on to the end of its last line
    lines: int = 0  # that end it; 0: as many as come

    def __post_init__(self) -> None:
        _require("--length", self.length, self.length >= 0, "0 or more")
        _require("--temperature", self.temperature, 0 <= self.temperature < math.inf, "0 (the likeliest) or more")
        _require("--top-n", self.top_n, self.top_n >= 0, "0 (all) or more")
        _require("--top-p", self.top_p, 0 < self.top_p <= 1, "above 0, and 1 (all) at most")
        _require("--min-p", self.min_p, 0 <= self.min_p < 1, "from 0 (all) up to, not including, 1")
        penalty = self.repetition_penalty
        _require("--repetition-penalty", penalty, 0.01 <= penalty <= 100, "from 0.01 to 100; 1 is none")
        _require(
            "--repetition-window", self.repetition_window, 1 <= self.repetition_window <= 10**6, "from 1 to 1000000"
        )
        _require("--lines", self.lines, self.lines >= 0, "1 or more, or 0 for as many as come")
        for flag, texts in (("--ban", self.ban), ("--allow-only", self.allow_only), ("--stop", self.stop)):
            if "" in texts:
                raise UsageError(f"{flag} '' is empty: give it some text.")


def settings_from(kind: type[Settings], record: Mapping[str, Any]) -> Settings:
    """A dataclass of `kind` from a JSON object, each value of its type; keys of another charrnn are ignored.

    Raises ValueError for a value that is not of its type, UsageError for one that cannot be.
    """
    import msgspec  # not loaded for a call of --help

    return msgspec.convert(record, kind)


def _require(what: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise UsageError(f"{what} must be {wanted}, and is {value}.")


def _one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    _require(what, value, value in choices, " or ".join(choices))
