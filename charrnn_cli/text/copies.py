"""Finds passages of one text that occur word for word in another, and texts that are a whole document of it.

All passages of one length are compared at once, by their hashes. The hash of a passage is a polynomial of its
characters modulo 2 to the 64 (Karp and Rabin 1987), with each character first mixed to 64 random bits; differences of
running sums give it for every position. This takes time linear in the longer text, which is read once for each length
that is tried.
"""

import codecs
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import END, EOD, Vocabulary

if TYPE_CHECKING:
    from charrnn_cli.text.sources import Source

COPY_LENGTH = 50  # characters; shorter passages may be alike by chance
PIECE_LENGTH = 1 << 20  # characters of the original that are compared at a time
MEMORY_LIMIT = 1 << 26  # characters; an original that is longer is read again for each length
BASE, GOLDEN, MIX = (np.uint64(number) for number in (0xD1342543DE82EF95, 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9))
INVERSE_BASE = np.uint64(pow(int(BASE), -1, 1 << 64))
FILTER_BITS = 20
Hashes = NDArray[np.uint64]
CodePoints = NDArray[np.uint32]


@dataclass(frozen=True)
class Copies:
    """What one text has in common with another."""

    longest: str  # the longest passage that occurs in the other text
    share: float  # share of the characters that are in copied passages of at least `COPY_LENGTH`
    whole_document: bool = False  # whether the text, alone or after its prime, is a document of the other text


class Original:
    """The text that may have been copied from."""

    def __init__(self, read: Callable[[], Iterable[str]], has_documents: bool = False) -> None:
        """`read` gives the text in pieces, from the start each time it is called.

        If the text `has_documents`, `END` is where one ends.
        """
        self.has_documents = has_documents
        self._read = read
        self._whole: CodePoints | None = None  # stays None if the text is too long
        pieces = [_code_points("")]
        length = 0
        for piece in read():
            pieces.append(_code_points(piece))
            length += len(piece)
            if length > MEMORY_LIMIT:
                return
        self._whole = np.concatenate(pieces)

    @classmethod
    def from_split(cls, ids: Sequence[int] | NDArray[Any], vocabulary: Vocabulary) -> "Original":
        """The text of a split."""

        def read() -> Iterator[str]:
            joiner = tokenizer_of(vocabulary).joiner()
            for start in range(0, len(ids), PIECE_LENGTH):
                tokens = vocabulary.decode(np.asarray(ids[start : start + PIECE_LENGTH]).tolist())
                if has_documents:
                    yield "".join([joiner.add(token) + (END if token == EOD else "") for token in tokens])
                else:
                    yield "".join(map(joiner.add, tokens))
            yield joiner.end()

        has_documents = vocabulary.end is not None
        return cls(read, has_documents)

    @classmethod
    def from_files(cls, files: Sequence[str], settings: PrepareSettings) -> "Original":
        """The text of files, for a model whose own text was read with `settings`.

        Raises UsageError, TextError, DiskError.
        """
        from charrnn_cli.text.sources import STDIN, find_sources  # seldom needed, so writing starts sooner
        from charrnn_cli.text.spool import temporary_folder

        if STDIN in files:
            raise UsageError("`copies_from` cannot be standard input, because it is read several times. Name a file.")
        spool = temporary_folder()
        try:
            sources = find_sources(files, Path(spool.name))
            original = cls(lambda: _texts(sources, settings), settings.documents is not None)
        except BaseException:
            spool.cleanup()
            raise
        weakref.finalize(original, spool.cleanup)  # the files are read again if the text is long
        return original

    def texts(self) -> Iterable[str]:
        """The text in pieces, with `END` where a document ends."""
        return self._read()

    def pieces(self) -> Iterator[CodePoints]:
        """The text as code points, piece by piece, without marks between its documents."""
        for piece in self.marked_pieces():
            yield piece[piece != ord(END)] if self.has_documents else piece

    def marked_pieces(self) -> Iterator[CodePoints]:
        """The text as code points, piece by piece, with `END` where a document ends."""
        if self._whole is None:
            yield from map(_code_points, self._read())
            return
        for start in range(0, len(self._whole), PIECE_LENGTH):
            yield self._whole[start : start + PIECE_LENGTH]


def _texts(sources: "Sequence[Source]", settings: PrepareSettings) -> Iterator[str]:
    """The texts of files, with `END` where a document ends, and in lower case if the model's own text was."""
    from charrnn_cli.text.reader import chunks_for_model, other_advice

    for source in sources:
        if settings.level == "byte":
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            for data, _ in source.chunks():
                yield decoder.decode(data)
            yield decoder.decode(b"", final=True)
            continue
        with other_advice(f"Convert it to {settings.encoding}."):
            for text, _ in chunks_for_model(source, settings):
                yield text.lower() if settings.lowercase else text


def find_copies(text: str, original: Original, prime: str = "") -> Copies:
    """The passages of `text`, which was written after a prime, that occur in the original."""
    codes = _code_points(text)
    is_copied = _occurring(codes, COPY_LENGTH, original.pieces())
    start, length = _longest(codes, is_copied, original)
    is_document = original.has_documents and any(_is_document(whole, original) for whole in {text, prime + text})
    return Copies(text[start : start + length], _share_in_passages(is_copied, len(codes)), is_document)


def _is_document(text: str, original: Original) -> bool:
    """Whether a text that is not empty is a whole document of the original."""
    marked = _code_points(END + text + END)
    pieces = itertools.chain([_code_points(END)], original.marked_pieces())
    return bool(text) and bool(_occurring(marked, len(marked), pieces).any())


def _longest(codes: CodePoints, is_copied: NDArray[np.bool_], original: Original) -> tuple[int, int]:
    """Start and length of the longest passage that occurs in the original.

    `is_copied` says where a copied passage of `COPY_LENGTH` starts. Halves the range of possible lengths, but at most
    doubles the length, because most copies are short.
    """
    if is_copied.any():
        start, low, high = int(is_copied.argmax()), COPY_LENGTH, len(codes)
    else:
        start, low, high = 0, 0, min(COPY_LENGTH - 1, len(codes))
    while low < high:  # a passage of `low` characters was found, and none longer than `high` is possible
        middle = (low + high + 1) // 2
        if low > 0:
            middle = min(middle, 2 * low)
        occurs = _occurring(codes, middle, original.pieces())
        if occurs.any():
            start, low = int(occurs.argmax()), middle
        else:
            high = middle - 1
    return start, low


def _share_in_passages(is_copied: NDArray[np.bool_], characters: int) -> float:
    """The share of characters in passages of `COPY_LENGTH` that start where `is_copied` says."""
    if characters == 0:
        return 0.0
    changes = np.zeros(characters + 1, np.int64)  # in the number of passages that cover a character
    changes[: len(is_copied)] += is_copied
    changes[COPY_LENGTH : COPY_LENGTH + len(is_copied)] -= is_copied
    return float((changes.cumsum()[:-1] > 0).mean())


def _occurring(codes: CodePoints, length: int, pieces: Iterable[CodePoints]) -> NDArray[np.bool_]:
    """For each passage of `length` in `codes`, whether it occurs in a text, which is given in pieces."""
    count = len(codes) - length + 1
    if count <= 0:
        return np.zeros(0, bool)
    hashes = _hashes(codes, length)
    shift = np.uint64(64 - FILTER_BITS)
    may_occur = np.zeros(1 << FILTER_BITS, bool)  # by the first bits of a hash: skips most of the original
    may_occur[hashes >> shift] = True
    occurs = np.zeros(count, bool)
    overlap = _code_points("")  # the end of the previous pieces, because passages cross their borders
    for piece in pieces:
        joined = np.concatenate([overlap, piece])
        if len(joined) >= length:
            original_hashes = _hashes(joined, length)
            occurs |= np.isin(hashes, original_hashes[may_occur[original_hashes >> shift]])
        overlap = joined[max(0, len(joined) - length + 1) :]
    return occurs


def _hashes(codes: CodePoints, length: int) -> Hashes:
    """The hash of every passage of `length`: the sum over t of mixed[i + t] times BASE to the t."""
    mixed = (codes.astype(np.uint64) + np.uint64(1)) * GOLDEN
    mixed ^= mixed >> np.uint64(29)
    mixed *= MIX
    mixed ^= mixed >> np.uint64(32)
    powers = np.full(len(codes), BASE)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.add.accumulate(mixed * powers, out=sums[1:])
    inverse_powers = np.full(len(codes) - length + 1, INVERSE_BASE)
    inverse_powers[0] = 1
    np.multiply.accumulate(inverse_powers, out=inverse_powers)
    hashes: Hashes = (sums[length:] - sums[: len(sums) - length]) * inverse_powers
    return hashes


def _code_points(text: str) -> CodePoints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
