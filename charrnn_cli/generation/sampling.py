"""From logits to the next tokens of B texts: filters in a row, then one draw.

The order is that of `filters`: what is banned or not allowed, repetition penalty, temperature, top-n, top-p, min-p.
Each takes what the one before it left. Sizes: B texts, V tokens, W tokens of a window.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.text.words import is_gap

BROKEN = "the model's weights are broken: its logits are no numbers. Is its file damaged?"
Logits = NDArray[np.float64]  # (B, V); minus infinity: never
Ids = NDArray[np.integer[Any]]
Filter = Callable[[Logits, Ids], Logits]  # logits and the last tokens (B, W) of each text, -1 where there are none


def filters(settings: SamplingSettings, allowed: NDArray[np.bool_]) -> list[Filter]:
    """The filters that `settings` ask for, in the order in which they apply; `allowed` (V,) may be drawn at all.

    The largest of the logits that they leave is 0.
    """
    row: list[Filter] = []
    if not allowed.all():
        row.append(lambda logits, recent: np.where(allowed, logits, -np.inf))
    if settings.repetition_penalty != 1:
        row.append(lambda logits, recent: penalise(logits, recent, settings.repetition_penalty))
    if settings.temperature == 0:
        return [*row, lambda logits, recent: temper(top_n(logits, 1), 1.0)]
    row.append(lambda logits, recent: temper(logits, settings.temperature))
    if settings.top_n:
        row.append(lambda logits, recent: top_n(logits, settings.top_n))
    if settings.top_p < 1:
        row.append(lambda logits, recent: top_p(logits, settings.top_p))
    if settings.min_p:
        row.append(lambda logits, recent: min_p(logits, settings.min_p))
    return row


def allowed_tokens(settings: SamplingSettings, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which tokens may be drawn (V,). Raises UsageError where none is left."""
    allowed = np.full(len(vocabulary), not settings.allow_only)
    allowed[_ids(settings.allow_only, vocabulary)] = True
    allowed[_ids(settings.ban, vocabulary)] = False
    if vocabulary.unknown is not None and not settings.allow_unknown:
        allowed[vocabulary.unknown] = False
    if not allowed.any():
        known = "--ban names every token"
        if settings.allow_only:
            named = ", ".join(map(repr, settings.allow_only))
            known = f"of --allow-only {named} the model knows nothing, or --ban takes it away"
        raise UsageError(f"nothing is left to write: {known}. Ban less, or allow more.")
    return allowed


def unknown_tokens(texts: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """What of some texts the model never writes."""
    return [token for token in _tokens(texts, vocabulary) if token not in vocabulary.ids]


def _ids(texts: Iterable[str], vocabulary: Vocabulary) -> list[int]:
    """The ids of all tokens of some texts that the vocabulary has."""
    return [vocabulary.ids[token] for token in _tokens(texts, vocabulary) if token in vocabulary.ids]


def _tokens(texts: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """The different tokens of some texts; spaces between words are none of them."""
    tokens = (token for text in texts for token in tokenizer_of(vocabulary).split(text, unfinished=True))
    words = vocabulary.level == "word"
    return [token for token in dict.fromkeys(tokens) if not (words and is_gap(token))]


def penalise(logits: Logits, recent: Ids, penalty: float) -> Logits:
    """Divides logits of recent tokens by `penalty`, multiplies those below 0: Keskar et al., arXiv 1909.05858."""
    B, V = logits.shape
    seen = np.zeros((B, V + 1), bool)
    seen[np.arange(B)[:, None], recent] = True  # -1 is the column too many
    return np.where(seen[:, :V], np.where(logits > 0, logits / penalty, logits * penalty), logits)


def temper(logits: Logits, temperature: float) -> Logits:
    """Logits over a temperature above 0, the largest at 0."""
    tempered: Logits = (logits - logits.max(axis=1, keepdims=True)) / temperature
    return tempered


def top_n(logits: Logits, n: int) -> Logits:
    """Leaves the n largest; of equal ones at the border those with the lower ids. Fan et al., arXiv 1805.04833."""
    V = logits.shape[1]
    if n >= V:
        return logits
    return _down_to(logits, np.partition(logits, V - n, axis=1)[:, V - n, None], n)


def top_p(logits: Logits, p: float) -> Logits:
    """Leaves the smallest set of the likeliest that has at least the share p. Holtzman et al., arXiv 1904.09751."""
    ordered = np.sort(logits, axis=1)[:, ::-1]
    shares = probabilities(ordered)
    n = (shares.cumsum(axis=1) - shares < p).sum(axis=1, keepdims=True)  # (B, 1), by the share of all likelier ones
    return _down_to(logits, ordered[np.arange(len(logits))[:, None], n - 1], n)


def _down_to(logits: Logits, border: Logits, n: Ids | int) -> Logits:
    """Leaves n of each row (B, 1): what is above the border (B, 1), and of what is equal to it the lower ids."""
    kept = logits >= border
    if np.count_nonzero(kept) == np.sum(n) * (1 if isinstance(n, np.ndarray) else len(logits)):  # no ties
        return np.where(kept, logits, -np.inf)
    above, ties = logits > border, logits == border
    kept = above | (ties & (ties.cumsum(axis=1) <= n - above.sum(axis=1, keepdims=True)))
    return np.where(kept, logits, -np.inf)


def min_p(logits: Logits, p: float) -> Logits:
    """Leaves what is at least p times as likely as the likeliest. Nguyen et al., arXiv 2407.01082."""
    return np.where(logits >= logits.max(axis=1, keepdims=True) + math.log(p), logits, -np.inf)


def probabilities(logits: Logits) -> NDArray[np.float64]:
    """Softmax (B, V)."""
    weights: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def draw(logits: Logits, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    """The ids (B,) of the next tokens, each drawn by one uniform number (B,) from 0 up to, not including, 1.

    Takes what filters leave: the largest logit of a row is 0. Raises RunError where there are no numbers.
    """
    cumulative = np.exp(logits).cumsum(axis=1)
    total = cumulative[:, -1]
    if not (total > 0).all():
        raise RunError(BROKEN)
    target = np.minimum(uniforms * total, np.nextafter(total, 0.0))
    ids: NDArray[np.int64] = (cumulative <= target[:, None]).sum(axis=1)
    return ids


def divergence(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The mean Kullback-Leibler divergence of predictions by logits (B, V), in nats."""
    one, other = (np.log(np.maximum(probabilities(logits.astype(np.float64)), 1e-300)) for logits in (ours, theirs))
    return float((np.exp(one) * (one - other)).sum(axis=1).mean())


def log_probabilities(logits: Logits, ids: Ids) -> NDArray[np.float64]:
    """Of the drawn `ids` (B,), in nats, before any filter."""
    largest = logits.max(axis=1)
    total = np.exp(logits - largest[:, None]).sum(axis=1)
    result: NDArray[np.float64] = logits[np.arange(len(ids)), ids] - largest - np.log(total)
    return result
