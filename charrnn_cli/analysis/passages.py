"""A piece of a text that shows well what cells do."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def lively_passage(truths: Sequence[NDArray[np.float32]], pieces: Sequence[str], start: int, length: int) -> slice:
    """The `length` tokens from `start` on in which hypotheses, by their truths (N,) each, change most often.

    Every hypothesis counts the same. The passage begins at the start of a line, if there is one near. The choice does
    not look at the cells.
    """
    N = len(pieces)
    changes = np.zeros(N - start)
    for truth in truths:
        own = np.diff(truth[start:], prepend=truth[start]) != 0
        changes += own / max(own.sum(), 1)
    total = np.concatenate([[0.0], np.cumsum(changes)])
    length = min(length, N - start)
    first = line_start(pieces, start + int((total[length:] - total[:-length]).argmax()), start)
    return slice(first, first + length)


def line_start(pieces: Sequence[str], place: int, earliest: int, reach: int = 200) -> int:
    """The first token of the line of a token; the token itself if its line starts before `earliest`, or far away."""
    for before in range(place, max(place - reach, earliest), -1):
        if pieces[before - 1].endswith("\n"):
            return before
    return place
