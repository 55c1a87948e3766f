"""What of a text stands word for word in another: passages of one length are compared by their hashes, all at once.

The hash of a passage is a polynomial of its characters modulo 2 to the 64 (Karp and Rabin 1987), each character first
mixed to 64 random bits; differences of running sums give it for every position. That is linear in the longer text,
which is gone through once for each length that is tried.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.sources import find_sources, text_chunks
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

RUN = 50  # characters in a row that are no chance
BLOCK = 1 << 20  # characters of the longer text at once
KEPT = 1 << 26  # characters of it that are kept in memory, at most
BASE, GOLDEN, MIX = (np.uint64(number) for number in (0xD1342543DE82EF95, 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9))
Hashes = NDArray[np.uint64]
Codes = NDArray[np.uint32]  # code points


@dataclass(frozen=True)
class Copies:
    """What of a text was copied."""

    longest: str  # passage that stands in the other text
    share: float  # of the characters, those in copied runs of `RUN` or more


class Original:
    """The text that may have been copied from."""

    def __init__(self, pieces: Callable[[], Iterable[str]]) -> None:
        """Takes what gives the consecutive pieces of the text, each time it is called."""
        self._pieces, kept, count = pieces, [_codes("")], 0
        self._whole: Codes | None = None  # unless there is too much of it
        for piece in pieces():
            kept.append(_codes(piece))
            count += len(piece)
            if count > KEPT:
                return
        self._whole = np.concatenate(kept)

    def blocks(self) -> Iterator[Codes]:
        """The code points of the text, block after block."""
        if self._whole is None:
            yield from map(_codes, self._pieces())
            return
        for start in range(0, len(self._whole), BLOCK):
            yield self._whole[start : start + BLOCK]


def find_copies(text: str, original: Original) -> Copies:
    """What of `text` stands in the original."""
    codes = _codes(text)
    runs = _standing(codes, RUN, original)
    low, high = (RUN, len(codes)) if runs.any() else (0, min(RUN - 1, len(codes)))
    at = int(runs.argmax()) if runs.any() else 0
    while low < high:  # a passage of `low` stands there, none of more than `high` does
        middle = min(2 * low or high, (low + high + 1) // 2)
        found = _standing(codes, middle, original)
        if found.any():
            low, at = middle, int(found.argmax())
        else:
            high = middle - 1
    ends = np.zeros(len(codes) + 1, np.int64)
    ends[: len(runs)] += runs
    ends[RUN : RUN + len(runs)] -= runs
    return Copies(text[at : at + low], float((ends.cumsum()[:-1] > 0).mean()) if len(codes) else 0.0)


def of_split(ids: Sequence[int] | NDArray[Any], vocabulary: Vocabulary) -> Original:
    """The text of a split."""

    def pieces() -> Iterator[str]:
        joiner = tokenizer_of(vocabulary).joiner()
        for start in range(0, len(ids), BLOCK):
            yield "".join(map(joiner.add, vocabulary.decode(np.asarray(ids[start : start + BLOCK]).tolist())))
        yield joiner.end()

    return Original(pieces)


def of_files(files: Sequence[str], lowercase: bool) -> Original:
    """The text of some files in UTF-8. Raises UsageError, TextError, DiskError."""
    if "-" in files:
        raise UsageError("--copies-from - : stdin can be read once only. Give the name of a file.")
    sources = find_sources(files, Path())

    def pieces() -> Iterator[str]:
        for source in sources:
            for text, _ in text_chunks(source, "utf-8"):
                yield text.lower() if lowercase else text

    try:
        return Original(pieces)
    except TextError as error:
        raise TextError(f"--copies-from reads UTF-8, and {str(error).split('. ')[0]}.") from error


def _standing(codes: Codes, length: int, original: Original) -> NDArray[np.bool_]:
    """At which positions of `codes` a passage of `length` begins that stands in the original."""
    count = len(codes) - length + 1
    if count <= 0:
        return np.zeros(0, bool)
    ours = _hashes(codes, length)
    shelf = np.zeros(1 << 20, bool)  # whether a hash with these first bits is looked for
    shelf[ours >> np.uint64(44)] = True
    found = np.zeros(count, bool)
    before = _codes("")
    for block in original.blocks():
        joined = np.concatenate([before, block])
        if len(joined) >= length:
            theirs = _hashes(joined, length)
            found |= np.isin(ours, theirs[shelf[theirs >> np.uint64(44)]])
        before = joined[max(0, len(joined) - length + 1) :]
    return found


def _hashes(codes: Codes, length: int) -> Hashes:
    """Of all passages of so many code points: sum over t of mixed[i + t] times BASE to the t."""
    mixed = (codes.astype(np.uint64) + np.uint64(1)) * GOLDEN
    mixed ^= mixed >> np.uint64(29)
    mixed *= MIX
    mixed ^= mixed >> np.uint64(32)
    powers = np.full(len(codes), BASE)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.add.accumulate(mixed * powers, out=sums[1:])
    inverse = np.full(len(codes) - length + 1, _INVERSE)
    inverse[0] = 1
    np.multiply.accumulate(inverse, out=inverse)
    hashes: Hashes = (sums[length:] - sums[: len(sums) - length]) * inverse
    return hashes


def _codes(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


_INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))
