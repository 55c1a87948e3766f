"""From logits to the next tokens of B texts: filters one after the other, then one draw.

To add a filter, add an entry to `FILTERS`, and its setting to `SamplingSettings`. Sizes: B texts, V tokens of the
vocabulary, W recent tokens.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.text.words import is_gap

BROKEN = "the model produced NaN or infinite numbers; its weights file may be corrupt."
Logits = NDArray[np.float64]  # (B, V); minus infinity: never
Ids = NDArray[np.integer[Any]]
Allowed = NDArray[np.bool_]  # (V,) whether a token may be drawn at all
Filter = Callable[[Logits, Ids], Logits]  # logits, and the recent tokens (B, W) of each text; -1: no token


@dataclass(frozen=True)
class LogitsFilter:
    """A filter: the settings that it reads, whether they make it active, and what it does to logits."""

    settings: tuple[str, ...]  # fields of SamplingSettings
    is_active: Callable[[SamplingSettings, Allowed], bool]
    apply: Callable[[SamplingSettings, Allowed, Logits, Ids], Logits]


# In the order in which they apply. After temperature 0, only one token is left for the filters that follow.
FILTERS: tuple[LogitsFilter, ...] = (
    LogitsFilter(
        ("ban", "allow_only", "allow_unknown"),
        lambda settings, allowed: not allowed.all(),
        lambda settings, allowed, logits, recent: np.where(allowed, logits, -np.inf),
    ),
    LogitsFilter(
        ("repetition_penalty", "repetition_window"),
        lambda settings, allowed: settings.repetition_penalty != 1,
        lambda settings, allowed, logits, recent: penalize(logits, recent, settings.repetition_penalty),
    ),
    LogitsFilter(
        ("temperature",),
        lambda settings, allowed: True,  # at temperature 1 too: it makes the largest logit 0, as `draw` needs it
        lambda settings, allowed, logits, recent: temper(logits, settings.temperature),
    ),
    LogitsFilter(
        ("top_n",),
        lambda settings, allowed: settings.temperature > 0 and settings.top_n > 0,
        lambda settings, allowed, logits, recent: top_n(logits, settings.top_n),
    ),
    LogitsFilter(
        ("top_p",),
        lambda settings, allowed: settings.temperature > 0 and settings.top_p < 1,
        lambda settings, allowed, logits, recent: top_p(logits, settings.top_p),
    ),
    LogitsFilter(
        ("min_p",),
        lambda settings, allowed: settings.temperature > 0 and settings.min_p > 0,
        lambda settings, allowed, logits, recent: min_p(logits, settings.min_p),
    ),
)


def ladder(settings: SamplingSettings, temperatures: Sequence[float] | None) -> list[SamplingSettings]:
    """The settings with each of the temperatures; unchanged if there are none. Raises UsageError."""
    if temperatures is None:
        return [settings]
    if not isinstance(temperatures, Sequence) or isinstance(temperatures, str) or not temperatures:
        raise UsageError(f"`temperatures` must be a list of numbers, such as [0.5, 0.8, 1.1], got {temperatures!r}.")
    return [replace(settings, temperature=temperature) for temperature in temperatures]


def active_filters(settings: SamplingSettings, allowed: Allowed) -> list[LogitsFilter]:
    """The filters that `settings` make active, in the order in which they apply."""
    return [entry for entry in FILTERS if entry.is_active(settings, allowed)]


def filters(settings: SamplingSettings, allowed: Allowed) -> list[Filter]:
    """The active filters as functions of logits and recent tokens. The largest logit that they leave is 0."""
    return [partial(entry.apply, settings, allowed) for entry in active_filters(settings, allowed)]


def allowed_tokens(settings: SamplingSettings, vocabulary: Vocabulary) -> Allowed:
    """Which tokens may be drawn, (V,). Raises UsageError if none may be drawn."""
    allowed = np.full(len(vocabulary), not settings.allow_only)
    allowed[_written_with(settings.allow_only, vocabulary)] = True
    allowed[_containing(settings.ban, vocabulary)] = False
    if vocabulary.unknown is not None and not settings.allow_unknown:
        allowed[vocabulary.unknown] = False
    if not allowed.any():
        reason = "`ban` excludes every token"
        if settings.allow_only:
            texts = ", ".join(map(repr, settings.allow_only))
            reason = f"the model knows no token of `allow_only` ({texts}), or `ban` excludes them all"
        raise UsageError(f"no token is left to write: {reason}. Ban fewer tokens, or allow more.")
    return allowed


def unknown_tokens(texts: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """The tokens of some texts that the vocabulary does not have."""
    return [token for token in _tokens(texts, vocabulary) if token not in vocabulary.ids]


def _written_with(texts: Iterable[str], vocabulary: Vocabulary) -> list[int]:
    """The ids of the tokens of some texts; of subwords, all that have no other characters than the texts."""
    if vocabulary.level != "subword":
        return _known_ids(texts, vocabulary)
    characters = set("".join(texts))
    return [id for id, subword in _subwords(vocabulary) if characters.issuperset(subword)]


def _containing(texts: Iterable[str], vocabulary: Vocabulary) -> list[int]:
    """The ids of the tokens of some texts; of subwords, all that contain one of the texts."""
    if vocabulary.level != "subword":
        return _known_ids(texts, vocabulary)
    return [id for id, subword in _subwords(vocabulary) if any(text in subword for text in texts)]


def _subwords(vocabulary: Vocabulary) -> list[tuple[int, str]]:
    """The ids and texts of all tokens that stand for text."""
    special = (vocabulary.unknown, vocabulary.end)
    return [(id, token) for id, token in enumerate(vocabulary.tokens) if id not in special]


def _known_ids(texts: Iterable[str], vocabulary: Vocabulary) -> list[int]:
    """The ids of the tokens of some texts that the vocabulary has."""
    return [vocabulary.ids[token] for token in _tokens(texts, vocabulary) if token in vocabulary.ids]


def _tokens(texts: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """The different tokens of some texts, without the spaces between words."""
    tokens = (token for text in texts for token in tokenizer_of(vocabulary).split(text, unfinished=True))
    words = vocabulary.level == "word"
    return [token for token in dict.fromkeys(tokens) if not (words and is_gap(token))]


def penalize(logits: Logits, recent: Ids, penalty: float) -> Logits:
    """Divides positive logits of recent tokens by `penalty` and multiplies negative ones: arXiv 1909.05858."""
    B, V = logits.shape
    seen = np.zeros((B, V + 1), bool)
    seen[np.arange(B)[:, None], recent] = True  # -1, no token, is the extra column
    return np.where(seen[:, :V], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def temper(logits: Logits, temperature: float) -> Logits:
    """Logits divided by the temperature, shifted so that the largest is 0; temperature 0 leaves only the largest."""
    if temperature == 0:
        return temper(top_n(logits, 1), 1.0)
    tempered: Logits = (logits - logits.max(axis=1, keepdims=True)) / temperature
    return tempered


def top_n(logits: Logits, n: int) -> Logits:
    """Leaves the n largest; of equal logits at the border, those with the lower ids. Fan et al., arXiv 1805.04833."""
    V = logits.shape[1]
    if n >= V:
        return logits
    return _keep_largest(logits, np.partition(logits, V - n, axis=1)[:, V - n, None], n)


def top_p(logits: Logits, p: float) -> Logits:
    """Leaves the smallest set of likeliest tokens with a total probability of at least p: arXiv 1904.09751."""
    ordered = np.sort(logits, axis=1)[:, ::-1]
    shares = probabilities(ordered)
    n = (shares.cumsum(axis=1) - shares < p).sum(axis=1, keepdims=True)  # (B, 1), by the share of all likelier ones
    return _keep_largest(logits, ordered[np.arange(len(logits))[:, None], n - 1], n)


def _keep_largest(logits: Logits, border: Logits, n: Ids | int) -> Logits:
    """Leaves n of each row: those above `border`, the n-th largest (B, 1), and of those equal to it the lower ids."""
    kept = logits >= border
    wanted = n.sum() if isinstance(n, np.ndarray) else n * len(logits)
    if np.count_nonzero(kept) == wanted:  # no other logit is equal to the n-th largest
        return np.where(kept, logits, -np.inf)
    above, ties = logits > border, logits == border
    kept = above | (ties & (ties.cumsum(axis=1) <= n - above.sum(axis=1, keepdims=True)))
    return np.where(kept, logits, -np.inf)


def min_p(logits: Logits, p: float) -> Logits:
    """Leaves tokens that are at least p times as likely as the likeliest. Nguyen et al., arXiv 2407.01082."""
    return np.where(logits >= logits.max(axis=1, keepdims=True) + math.log(p), logits, -np.inf)


def probabilities(logits: Logits) -> NDArray[np.float64]:
    """Softmax (B, V)."""
    weights: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def draw(logits: Logits, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    """The ids (B,) of the next tokens, each drawn with one uniform number (B,) in [0, 1).

    The largest logit of each row must be 0, as filters leave it. Raises RunError if logits are NaN or infinite.
    """
    cumulative = np.exp(logits).cumsum(axis=1)
    total = cumulative[:, -1]
    if not (total > 0).all():
        raise RunError(BROKEN)
    target = np.minimum(uniforms * total, np.nextafter(total, 0.0))
    ids: NDArray[np.int64] = (cumulative <= target[:, None]).sum(axis=1)
    return ids


def log_probabilities(logits: Logits, ids: Ids) -> NDArray[np.float64]:
    """The log-probabilities (B,), in nats, of drawn `ids` (B,) by the model's own logits, before any filter."""
    largest = logits.max(axis=1)
    total = np.exp(logits - largest[:, None]).sum(axis=1)
    result: NDArray[np.float64] = logits[np.arange(len(ids)), ids] - largest - np.log(total)
    return result
