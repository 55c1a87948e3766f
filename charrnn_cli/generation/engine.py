"""What every engine can do, and how those that step on a CPU write.

Sizes: B texts, T tokens, V tokens of the vocabulary, W tokens of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.sampling import Filter, Ids, draw, filters, log_probabilities

State = TypeVar("State")


@dataclass(frozen=True)
class Sampler:
    """How tokens are drawn."""

    settings: SamplingSettings
    allowed: NDArray[np.bool_]  # (V,)
    scored: bool = False  # whether the log-probability of each is asked for

    @cached_property
    def filters(self) -> list[Filter]:
        """What logits go through, in NumPy."""
        return filters(self.settings, self.allowed)


@dataclass(frozen=True)
class Block(Generic[State]):
    """The next T tokens of B texts."""

    ids: Ids  # (B, T)
    scores: NDArray[np.float64] | None  # (B, T) log-probabilities in nats, before any filter, where they are asked for
    state: State


class Engine(Protocol[State]):
    """What computes the network."""

    name: str

    def tokens_at_once(self, texts: int) -> int:
        """How many tokens of each of so many texts `write` is asked for."""

    def groups(self, texts: int) -> list[int]:
        """How many texts are written side by side, group after group; those too many in the last are nobody's."""

    def start(self, streams: int) -> State:
        """The state before any token."""

    def repeat(self, state: State, streams: int) -> State:
        """The state of one text as that of so many."""

    def step(self, ids: Ids, state: State) -> tuple[NDArray[np.float32], State]:
        """Ids (B,), state to logits of the next token (B, V), state."""

    def write(
        self, ids: Ids, state: State, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> Block[State]:
        """Reads ids (B,), then draws a token for each column of the uniform numbers (B, T), and reads it.

        The last one is not read. `recent` (B, W) are the tokens so far, -1 where there are none. Raises RunError where
        the weights are broken.
        """


def fixed_groups(texts: int, sizes: Sequence[int]) -> list[int]:
    """The same groups whatever the number of texts: of these sizes, the last again and again.

    Matrix products sum one row in another order than several. In a group that always has the same size, a text does not
    depend on how many others are asked for.
    """
    groups: list[int] = []
    while texts > sum(groups):
        groups.append(sizes[min(len(groups), len(sizes) - 1)])
    return groups


class StepEngine(Generic[State]):
    """An engine on a CPU: one step at a time, the draw in NumPy."""

    block = 16  # tokens of several texts that are written at once

    def tokens_at_once(self, texts: int) -> int:
        """One of a single text, which comes as it is made."""
        return 1 if texts == 1 else self.block

    def step(self, ids: Ids, state: State) -> tuple[NDArray[np.float32], State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        raise NotImplementedError

    def write(
        self, ids: Ids, state: State, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> Block[State]:
        """As `Engine` says."""
        drawn, scores = np.empty(uniforms.shape, np.int64), np.empty(uniforms.shape) if sampler.scored else None
        with np.errstate(over="ignore", invalid="ignore"):  # far below the largest is never; what is broken is noticed
            for t in range(uniforms.shape[1]):
                given, state = self.step(ids, state)  # (B, V)
                logits = model_logits = given.astype(np.float64)
                for filter in sampler.filters:
                    logits = filter(logits, recent)
                drawn[:, t] = ids = draw(logits, uniforms[:, t])  # (B,)
                if scores is not None:
                    scores[:, t] = log_probabilities(model_logits, ids)
                if recent.size:
                    recent = np.concatenate([recent[:, 1:], ids[:, None]], axis=1)
        return Block(drawn, scores, state)
