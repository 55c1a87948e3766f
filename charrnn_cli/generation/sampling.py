"""From logits to the next token: filters in a row, then one draw."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings

Logits = NDArray[np.floating[Any]]
Filter = Callable[[Logits], Logits]  # (V,) to (V,); minus infinity: never


def filters(settings: SamplingSettings, never: Sequence[int] = ()) -> list[Filter]:
    """The filters that `settings` ask for, in the order in which they apply; `never` are ids that are not drawn."""
    row: list[Filter] = []
    if never:
        row.append(lambda logits: without(logits, never))
    if settings.top_n:
        row.append(lambda logits: top_n(logits, settings.top_n))
    return row


def without(logits: Logits, never: Sequence[int]) -> Logits:
    """Leaves out some ids."""
    logits = logits.copy()
    logits[list(never)] = -np.inf
    return logits


def top_n(logits: Logits, n: int) -> Logits:
    """Leaves the n largest; of equal ones at the border those with the lower ids."""
    if n >= len(logits):
        return logits
    kept = np.argsort(-logits, kind="stable")[:n]
    filtered = np.full_like(logits, -np.inf)
    filtered[kept] = logits[kept]
    return filtered


def probabilities(logits: Logits, temperature: float) -> NDArray[np.float64]:
    """Softmax of logits / temperature (V,), in float64; a temperature above 0."""
    scaled = logits.astype(np.float64)
    with np.errstate(over="ignore"):  # far below the largest is never
        scaled = (scaled - scaled.max()) / temperature
    weights: NDArray[np.float64] = np.exp(scaled)
    weights /= weights.sum()
    return weights


def draw(logits: Logits, temperature: float, random: np.random.Generator) -> int:
    """The id of the next token: the likeliest at temperature 0, else drawn by one uniform number."""
    if temperature == 0:
        return int(logits.argmax())
    cumulative = probabilities(logits, temperature).cumsum()
    return int(cumulative.searchsorted(random.random() * cumulative[-1], side="right"))
