"""Where a text is cut into splits: at its shares, or at the nearest ends of documents."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import HELD_OUT, HELD_OUT_TOKENS, LIST_SHARE, LIST_TOKENS, PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.tokenizer import TOKEN_UNITS

MAX_KEPT_ENDS = 1 << 20  # ends of documents in memory
LEAST_TOKENS = 2  # of a split: an input and its target


class DocumentEnds:
    """The positions in a text, in tokens, at which documents end.

    Of very many ends it keeps every second, every fourth and so on, which bounds memory.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept = np.zeros(0, np.int64)
        self._every = 1

    def add(self, ends: Sequence[int] | NDArray[np.int64], start: int) -> None:
        """Adds the ends in a piece of the text that has `start` tokens before it."""
        numbers = np.arange(self.count + 1, self.count + len(ends) + 1)
        positions = np.asarray(ends, np.int64) + start
        self.count += len(ends)
        self._kept = np.concatenate([self._kept, positions[numbers % self._every == 0]])
        while len(self._kept) > MAX_KEPT_ENDS:
            self._kept = self._kept[1::2]
            self._every *= 2

    def nearest(self, position: int, total: int) -> int:
        """The end that is nearest to a position; the start and the end of the text, at `total`, count as ends."""
        candidates = np.concatenate([[0], self._kept, [total]])
        return int(candidates[np.abs(candidates - position).argmin()])

    def before(self, position: int) -> int:
        """The last end before a position; the start of the text counts as an end."""
        earlier = self._kept[self._kept < position]
        return int(earlier[-1]) if len(earlier) else 0


def cut_sizes(
    tokens: int, settings: PrepareSettings, ends: DocumentEnds | None = None, may_be_empty: bool = False
) -> dict[str, int]:
    """The sizes in tokens of the splits that a text is cut into, at the nearest `ends` of documents if it has any.

    Raises TextError if a split is too short, unless splits of documents `may_be_empty`: a text that is appended.
    """
    valid, test = (
        min(int(tokens * HELD_OUT), HELD_OUT_TOKENS) if share is None else int(tokens * share)
        for share in (settings.valid, settings.test)
    )
    if ends is None:
        sizes = {"train": tokens - valid - test, "valid": valid, "test": test}
    else:
        if settings.valid is None and not may_be_empty:
            valid = max(valid, min(int(tokens * LIST_SHARE), LIST_TOKENS))  # two names cannot tell a good model
        wanted = {"valid": settings.valid != 0, "test": settings.test != 0} if not may_be_empty else {}
        valid_start, test_start = _document_cuts(tokens, valid, test, wanted, ends)
        sizes = {"train": valid_start, "valid": test_start - valid_start, "test": tokens - test_start}
    if ends is None or not may_be_empty:
        _check_sizes(sizes, settings, ends)
    return sizes


def _document_cuts(
    tokens: int, valid: int, test: int, wanted: Mapping[str, bool], ends: DocumentEnds
) -> tuple[int, int]:
    """Where the validation and the test split start. A split that is wanted gets at least one document."""
    test_start = ends.nearest(tokens - test, tokens)
    if wanted.get("test") and test_start == tokens:
        test_start = ends.before(tokens)
    valid_start = min(ends.nearest(tokens - valid - test, tokens), test_start)
    if wanted.get("valid") and valid_start == test_start:
        valid_start = ends.before(test_start)
    return valid_start, test_start


def _check_sizes(sizes: dict[str, int], settings: PrepareSettings, ends: DocumentEnds | None) -> None:
    """Raises TextError if a split that is needed is too short."""
    is_needed = {"train": True, "valid": settings.valid != 0, "test": settings.test != 0}
    for name, size in sizes.items():
        if not is_needed[name] or size >= LEAST_TOKENS:
            continue
        if ends is not None and size == 0:
            raise TextError(
                f"the text has too few documents: each split needs one, and there are {ends.count}. Use more "
                "documents, or fewer splits: pass `valid=0` and `test=0`."
            )
        unit = TOKEN_UNITS[settings.level]
        raise TextError(
            f"the text is too short: the {name} split gets {size} of its {sum(sizes.values())} {unit}, but "
            f"needs at least {LEAST_TOKENS}. Use a longer text, or fewer splits: pass `valid=0` and `test=0`."
        )
