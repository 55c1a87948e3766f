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


def find_copies(text: str, pieces: Callable[[], Iterable[str]]) -> Copies:
    """What of `text` stands in another one, of which `pieces` gives the consecutive pieces, each time it is called."""
    codes = _codes(text)
    blocks = _kept(pieces)
    runs = _standing(codes, RUN, blocks)
    low, high = (RUN, len(codes)) if runs.any() else (0, min(RUN - 1, len(codes)))
    at = int(runs.argmax()) if runs.any() else 0
    while low < high:  # a passage of `low` stands there, none of more than `high` does
        middle = min(2 * low or high, (low + high + 1) // 2)
        found = _standing(codes, middle, blocks)
        if found.any():
            low, at = middle, int(found.argmax())
        else:
            high = middle - 1
    ends = np.zeros(len(codes) + 1, np.int64)
    ends[: len(runs)] += runs
    ends[RUN : RUN + len(runs)] -= runs
    return Copies(text[at : at + low], float((ends.cumsum()[:-1] > 0).mean()) if len(codes) else 0.0)


def split_pieces(ids: Sequence[int] | NDArray[Any], vocabulary: Vocabulary) -> Iterator[str]:
    """The text of a split, piece by piece."""
    joiner = tokenizer_of(vocabulary).joiner()
    for start in range(0, len(ids), BLOCK):
        yield "".join(joiner.add(vocabulary.tokens[id]) for id in np.asarray(ids[start : start + BLOCK]).tolist())
    yield joiner.end()


def file_pieces(files: Sequence[str], lowercase: bool) -> Callable[[], Iterator[str]]:
    """What gives the text of some files in UTF-8, piece by piece. Raises TextError, DiskError."""
    sources = find_sources(files, Path())

    def pieces() -> Iterator[str]:
        for source in sources:
            for text, _ in text_chunks(source, "utf-8"):
                yield text.lower() if lowercase else text

    return pieces


def _kept(pieces: Callable[[], Iterable[str]]) -> Callable[[], Iterable[Codes]]:
    """The code points of a text, kept in memory unless there are too many."""
    kept, count = [], 0
    for piece in pieces():
        kept.append(_codes(piece))
        count += len(piece)
        if count > KEPT:
            return lambda: map(_codes, pieces())
    whole = np.concatenate([*kept, _codes("")])
    return lambda: (whole[start : start + BLOCK] for start in range(0, len(whole), BLOCK))


def _standing(codes: Codes, length: int, blocks: Callable[[], Iterable[Codes]]) -> NDArray[np.bool_]:
    """At which positions of `codes` a passage of `length` begins that stands in the blocks of the other text."""
    count = len(codes) - length + 1
    if count <= 0:
        return np.zeros(0, bool)
    ours = _hashes(codes, length)
    shelf = np.zeros(1 << 20, bool)  # whether a hash with these first bits is looked for
    shelf[ours >> np.uint64(44)] = True
    found = np.zeros(count, bool)
    before = _codes("")
    for block in blocks():
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
