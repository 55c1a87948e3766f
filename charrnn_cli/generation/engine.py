"""What an engine is, and how an engine writes with filters that it does not compute itself.

Sizes: B texts, T tokens, V tokens of the vocabulary, W recent tokens.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.sampling import Filter, Ids, active_filters, draw, filters, log_probabilities

EngineState = TypeVar("EngineState")  # the hidden state of B texts, in the form that an engine keeps it


class EngineUnavailableError(UsageError):
    """An engine that is not installed, or cannot compute the model."""


@dataclass(frozen=True)
class Sampler:
    """How tokens are drawn."""

    settings: SamplingSettings
    allowed: NDArray[np.bool_]  # (V,) whether a token may be drawn at all
    scored: bool = False  # whether to return the log-probability of each token

    @cached_property
    def filters(self) -> list[Filter]:
        """The active filters, in NumPy."""
        return filters(self.settings, self.allowed)

    @cached_property
    def filter_settings(self) -> frozenset[str]:
        """The names of the settings that the active filters read."""
        return frozenset(name for entry in active_filters(self.settings, self.allowed) for name in entry.settings)


@dataclass(frozen=True)
class TokenBlock(Generic[EngineState]):
    """The next T tokens of B texts."""

    ids: Ids  # (B, T)
    scores: NDArray[np.float64] | None  # (B, T) log-probabilities in nats, before any filter; None: not requested
    state: EngineState  # after all of them but the last


class Engine(ABC, Generic[EngineState]):
    """Computes a network token by token, and draws tokens from its predictions.

    `fuses` names the settings whose filters the engine computes by itself in `write_fused`. If a filter is active that
    reads another setting, the engine writes step by step, and the filters and the draw run in NumPy.
    """

    name: str  # as messages show it
    fuses: ClassVar[frozenset[str]] = frozenset()
    group_sizes: ClassVar[Sequence[int]] = (1,)  # of the groups that `groups` makes; the last size repeats
    block_tokens: ClassVar[int] = 16  # T, if several texts are written

    def tokens_at_once(self, texts: int) -> int:
        """The number of tokens T for which `write` is called: 1 for a single text, which appears token by token."""
        return 1 if texts == 1 else self.block_tokens

    def groups(self, texts: int) -> list[int]:
        """The sizes of the groups in which texts are written side by side.

        The last group may be larger than needed; the extra texts are discarded. A matrix product can sum a row in
        another order if there are more rows. Because group sizes do not depend on the number of texts, the texts do
        not either.
        """
        groups: list[int] = []
        while sum(groups) < texts:
            index = min(len(groups), len(self.group_sizes) - 1)
            groups.append(self.group_sizes[index])
        return groups

    @abstractmethod
    def start(self, streams: int) -> EngineState:
        """The state before any token."""

    @abstractmethod
    def repeat(self, state: EngineState, streams: int) -> EngineState:
        """The state of a single text, copied for several."""

    @abstractmethod
    def step(self, ids: Ids, state: EngineState) -> tuple[NDArray[np.float32], EngineState]:
        """Ids (B,) and state to logits of the next token (B, V) and state."""

    def write(
        self, ids: Ids, state: EngineState, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> TokenBlock[EngineState]:
        """Reads ids (B,), then draws a token with each column of the random numbers `uniforms` (B, T) and reads it.

        The last token is not read. `recent` (B, W) are the last tokens of each text, -1 if it has fewer. Raises
        RunError if the model produces NaN.
        """
        if sampler.filter_settings <= self.fuses:
            return self.write_fused(ids, state, recent, uniforms, sampler)
        return self.write_by_steps(ids, state, recent, uniforms, sampler)

    def write_fused(
        self, ids: Ids, state: EngineState, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> TokenBlock[EngineState]:
        """Does the same as `write`, if the engine fuses all active filters."""
        return self.write_by_steps(ids, state, recent, uniforms, sampler)

    def write_by_steps(
        self, ids: Ids, state: EngineState, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> TokenBlock[EngineState]:
        """Does the same as `write`, one step after the other, with the filters and the draw in NumPy."""
        drawn = np.empty(uniforms.shape, np.int64)  # (B, T)
        scores = np.empty(uniforms.shape) if sampler.scored else None
        with np.errstate(over="ignore", invalid="ignore"):  # a very small probability becomes 0; `draw` finds NaN
            for t in range(uniforms.shape[1]):
                float32_logits, state = self.step(ids, state)  # (B, V)
                logits = model_logits = float32_logits.astype(np.float64)
                for filter in sampler.filters:
                    logits = filter(logits, recent)
                drawn[:, t] = ids = draw(logits, uniforms[:, t])  # (B,)
                if scores is not None:
                    scores[:, t] = log_probabilities(model_logits, ids)
                if recent.size:
                    recent = np.concatenate([recent[:, 1:], ids[:, None]], axis=1)
        return TokenBlock(drawn, scores, state)
