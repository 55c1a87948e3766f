"""What an engine is, and how an engine writes with filters that it does not compute itself.

Sizes: B texts, T tokens, V tokens of the vocabulary, W recent tokens, A alternatives.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.sampling import Filter, Ids, Logits, active_filters, draw, filters, log_probabilities

EngineState = TypeVar("EngineState")  # the hidden state of B texts, in the form that an engine keeps it


class EngineUnavailableError(UsageError):
    """An engine that is not installed, or cannot compute the model."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """How tokens are drawn."""

    settings: SamplingSettings
    allowed: NDArray[np.bool_]  # (V,) whether a token may be drawn at all
    scored: bool = False  # whether to return the log-probability of each token
    bias: NDArray[np.float32] | None = None  # (V,) is added to the logits before all filters
    alternatives: int = 0  # A: how many of the likeliest tokens to return with each scored token

    @cached_property
    def filters(self) -> list[Filter]:
        """The active filters, in NumPy."""
        return filters(self.settings, self.allowed)

    @cached_property
    def filter_settings(self) -> frozenset[str]:
        """The names of the settings that the active filters read, and `bias` if there is one."""
        names = [name for entry in active_filters(self.settings, self.allowed) for name in entry.settings]
        return frozenset(names if self.bias is None else [*names, "bias"])


class Alternatives(NamedTuple):
    """The likeliest tokens at each position, the likeliest first."""

    ids: Ids  # (B, T, A)
    scores: NDArray[np.float64]  # (B, T, A) log-probabilities in nats, before any filter


@dataclass(frozen=True)
class TokenBlock(Generic[EngineState]):
    """The next T tokens of B texts."""

    ids: Ids  # (B, T)
    scores: NDArray[np.float64] | None  # (B, T) log-probabilities in nats, before any filter; None: not requested
    state: EngineState  # after all of them but the last
    alternatives: Alternatives | None = None  # None: not requested


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

    def filled(self, texts: int) -> int:
        """The number of texts, at least `texts`, that fill their groups: the others of the last group cost nothing."""
        return sum(self.groups(texts))

    def warm_up(self) -> None:
        """Loads everything now, so that the first text does not wait for it."""

    @abstractmethod
    def start(self, streams: int) -> EngineState:
        """The state before any token."""

    def repeat(self, state: EngineState, streams: int) -> EngineState:
        """The state of a single text, copied for several."""
        return self.rows(state, np.zeros(streams, int))

    @abstractmethod
    def rows(self, state: EngineState, rows: Ids) -> EngineState:
        """The states of the texts with these numbers."""

    @abstractmethod
    def together(self, states: Sequence[EngineState]) -> EngineState:
        """The states of several groups of texts as one."""

    @abstractmethod
    def to_array(self, state: EngineState) -> NDArray[np.float32]:
        """A state as an array (B, N) for storage: all states of the first layer, then those of the next."""

    @abstractmethod
    def from_array(self, array: NDArray[np.float32]) -> EngineState:
        """The state that `to_array` turned into `array` (B, N)."""

    def read(self, ids: Ids, state: EngineState) -> EngineState:
        """The state after T more tokens of B texts, ids (B, T)."""
        for t in range(ids.shape[1]):
            _, state = self.step(ids[:, t], state)
        return state

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
        likeliest: list[Alternatives] = []
        with np.errstate(over="ignore", invalid="ignore"):  # a very small probability becomes 0; `draw` finds NaN
            for t in range(uniforms.shape[1]):
                float32_logits, state = self.step(ids, state)  # (B, V)
                logits = model_logits = float32_logits.astype(np.float64)
                if sampler.bias is not None:
                    logits = logits + sampler.bias
                for filter in sampler.filters:
                    logits = filter(logits, recent)
                drawn[:, t] = ids = draw(logits, uniforms[:, t])  # (B,)
                if scores is not None:
                    scores[:, t] = log_probabilities(model_logits, ids)
                if sampler.alternatives:
                    likeliest.append(alternatives(model_logits, sampler.alternatives))
                if recent.size:
                    recent = np.concatenate([recent[:, 1:], ids[:, None]], axis=1)
        return TokenBlock(drawn, scores, state, _joined(likeliest) if likeliest else None)


class IndependentEngine(Engine[EngineState]):
    """An engine that computes each text to the last bit as if it was alone, whatever is computed beside it."""

    @abstractmethod
    def write_each(
        self, ids: Ids, state: EngineState, uniforms: NDArray[np.float64], samplers: Sequence[Sampler]
    ) -> TokenBlock[EngineState]:
        """Does the same as `write_fused`, with one sampler for all texts or one for each; all are scored or none."""


def alternatives(logits: Logits, count: int) -> Alternatives:
    """The `count` likeliest tokens by logits (B, V), of equal ones those with the lower ids; T is 1."""
    ids = np.argsort(-logits, axis=1, kind="stable")[:, :count]  # (B, A)
    scores = np.stack([log_probabilities(logits, ids[:, k]) for k in range(ids.shape[1])], axis=1)
    return Alternatives(ids[:, None], scores[:, None])


def _joined(parts: Sequence[Alternatives]) -> Alternatives:
    """The alternatives of T positions, one after the other."""
    return Alternatives(*(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)))
