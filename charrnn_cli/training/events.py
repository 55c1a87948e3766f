"""The events of training. Each one becomes a record of log.jsonl."""

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """The progress, loss and speed of training."""

    step: int
    epoch: float
    progress: float | None  # share of the run, 0 to 1; None: nothing limits the run
    loss: float  # nats per token, mean since the last report
    perplexity: float  # per token
    rate: float  # the learning rate
    skipped: int  # steps so far whose loss or gradients were not finite
    seconds_per_batch: float  # mean since the last report, without validation and saving
    tokens_per_second: float
    seconds: float  # of training so far
    seconds_left: float | None  # None: not known yet


@dataclass(frozen=True)
class Validating:
    """A validation starts."""

    step: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Validation:
    """The loss on the whole validation split."""

    step: int
    epoch: float
    valid_loss: float  # nats per token
    valid_bits: float  # bits per token; at char level, bits per character
    valid_perplexity: float  # per token
    best: bool  # whether it is the lowest so far
    best_step: int  # the step of the lowest loss so far; 0: no finite loss yet
    seconds: float
    calibrated: bool = False  # whether the softmax temperature was fitted to this split


@dataclass(frozen=True)
class Saved:
    """A checkpoint was saved."""

    step: int
    best: bool  # whether it has the lowest validation loss so far
    save_seconds: float
    seconds: float


@dataclass(frozen=True)
class Recovery:
    """Training diverged, and continues from an earlier checkpoint with half the learning rate."""

    step: int  # from which it continues; 0: it starts over
    exploded: int  # the step at which it diverged
    recoveries: int  # number in this run so far
    seconds: float


@dataclass(frozen=True)
class ThreadChange:
    """The number of threads changed with the load of the machine, which changes the last bits of the result."""

    step: int
    threads: int
    seconds: float


@dataclass(frozen=True)
class MemoryFull:
    """Memory ran out. The step is repeated, and from this step on each batch is computed in more parts."""

    step: int
    accumulate: int  # the new number of parts
    seconds: float


@dataclass(frozen=True)
class End:
    """Training is over. It has `finished`, or it was asked to stop."""

    step: int
    finished: bool
    seconds: float


Event = Report | Validating | Validation | Saved | Recovery | ThreadChange | MemoryFull | End


def record(event: Event) -> dict[str, Any]:
    """The record of an event in log.jsonl."""
    return {"kind": type(event).__name__.lower(), **dataclasses.asdict(event)}
