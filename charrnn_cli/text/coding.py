"""A text's tokens counted in one pass and turned into ids in the next, by level.

Characters and bytes stay NumPy arrays on their way: a code point is an index. Words are Python strings in dictionaries.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.sources import Source, byte_chunks, text_chunks
from charrnn_cli.text.tokenizer import word_tokenizer
from charrnn_cli.text.vocabulary import UNKNOWN, Vocabulary

CODE_POINTS = 0x110000
DISTINCT = 1 << 20  # words that are counted at once, at most: memory stays bounded
Codes = NDArray[np.uint8] | NDArray[np.uint32]
Ids = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]
Piece = TypeVar("Piece", Codes, list[str])


class Hash(Protocol):
    """What the clean text goes into on its way."""

    def update(self, data: bytes, /) -> None:
        """Takes more of the text."""


class Coder(Protocol, Generic[Piece]):
    """Counts tokens, makes the vocabulary, and writes ids."""

    def pieces(self, sources: Iterable[Source], text_hash: Hash) -> Iterator[tuple[Piece, int]]:
        """The tokens of one text in pieces, each with the bytes read for it. Raises TextError, DiskError."""

    def count(self, piece: Piece, held_out: bool) -> None:
        """Notes tokens; those of a text that is `held_out` make no vocabulary."""

    def vocabulary(self) -> Vocabulary:
        """The vocabulary: the same text gives the same ids, always. Raises TextError."""

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The tokens that occur least, with their counts, ascending."""

    @property
    def distinct(self) -> int:
        """Different tokens in the text."""

    def characters(self, piece: Piece) -> int:
        """How many characters tokens join to; told all tokens in their order."""

    def encode(self, piece: Piece, vocabulary: Vocabulary) -> Ids:
        """The ids of tokens, in the smallest type that holds V of them."""


def coder(settings: PrepareSettings) -> Coder[Any]:
    """The coder of a level."""
    return WordCoder(settings) if settings.level == "word" else CodeCoder(settings)


def id_type(vocabulary: Vocabulary) -> np.dtype[Any]:
    """The smallest type that holds the ids of a vocabulary."""
    return np.min_scalar_type(len(vocabulary) - 1)


class CodeCoder:
    """Code points, at level "char", or bytes."""

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings
        codes = 256 if settings.level == "byte" else CODE_POINTS
        self._counts = np.zeros(codes, np.int64)
        self._held_out = np.zeros(codes, bool)
        self._table: Ids | None = None

    def pieces(self, sources: Iterable[Source], text_hash: Hash) -> Iterator[tuple[Codes, int]]:
        """The codes of one text."""
        for source in sources:
            if self.settings.level == "byte":
                for data in byte_chunks(source):
                    text_hash.update(data)
                    yield np.frombuffer(data, np.uint8), len(data)
            else:
                for text, size in text_chunks(source, self.settings.encoding):
                    lower = text.lower() if self.settings.lowercase else text
                    data = lower.encode("utf-8", "surrogatepass")
                    text_hash.update(data)
                    if lower.isascii():
                        yield np.frombuffer(data, np.uint8), size
                    else:
                        yield np.frombuffer(lower.encode("utf-32-le", "surrogatepass"), np.uint32), size

    def count(self, piece: Codes, held_out: bool) -> None:
        """Notes codes."""
        found = np.bincount(piece)
        if held_out:
            self._held_out[: len(found)] |= found > 0
        else:
            self._counts[: len(found)] += found

    def vocabulary(self) -> Vocabulary:
        """The characters by code point, or all 256 bytes."""
        if self.settings.level == "byte":
            return Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
        least, size = self.settings.min_count, self.settings.vocab_size
        known = np.flatnonzero(self._counts >= least)
        if not len(known):
            raise TextError(f"--min-count {least} leaves no character: the text has {self._counts.sum()} in all.")
        known = known[np.argsort(-self._counts[known], kind="stable")][:size]
        everywhere = np.flatnonzero((self._counts > 0) | self._held_out)
        some_unknown = len(np.setdiff1d(everywhere, known)) > 0
        if some_unknown and len(known) == size:
            known = known[:-1]
        tokens = tuple(map(chr, sorted(known.tolist())))
        if some_unknown:
            return Vocabulary("char", (UNKNOWN, *tokens), unknown=0, lowercase=self.settings.lowercase)
        return Vocabulary("char", tokens, lowercase=self.settings.lowercase)

    @property
    def distinct(self) -> int:
        """Different codes in the text."""
        return int(np.count_nonzero(self._counts))

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The codes that occur least."""
        occurring = np.flatnonzero(self._counts)
        rarest = occurring[np.argsort(self._counts[occurring], kind="stable")][:number]
        return [(self._shown(code), int(self._counts[code])) for code in rarest.tolist()]

    def encode(self, piece: Codes, vocabulary: Vocabulary) -> Ids:
        """The ids of codes, by one look-up in a table."""
        if self._table is None:
            self._table = self._ids(vocabulary)
        return self._table[piece]

    def characters(self, piece: Codes) -> int:
        """A character is a code point; of bytes, those that begin one in UTF-8."""
        return int(np.count_nonzero((piece & 0xC0) != 0x80)) if self.settings.level == "byte" else len(piece)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        if vocabulary.level == "byte":
            return np.arange(256, dtype=np.uint8)
        table = np.full(CODE_POINTS, vocabulary.unknown or 0, id_type(vocabulary))
        for id, token in enumerate(vocabulary.tokens):
            if id != vocabulary.unknown:
                table[ord(token)] = id
        return table

    def _shown(self, code: int) -> str:
        return f"{code:02x}" if self.settings.level == "byte" else chr(code)


class WordCoder:
    """Words, with punctuation tokens or between white space.

    Of a text with more than a million different words the rarest are forgotten on the way: whenever there are too many,
    each count is lowered by one (Misra and Gries 1982), so that memory does not grow with the text.
    """

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings
        self._counts: Counter[str] = Counter()
        self._held_out: set[str] = set()
        self._forgotten = 0  # how much too low a count may be
        self._marks: dict[str, str] = {}
        self._joiner = word_tokenizer(settings.split_on, settings.lowercase, self._marks).joiner()

    def pieces(self, sources: Iterable[Source], text_hash: Hash) -> Iterator[tuple[list[str], int]]:
        """The words of one text; one ends where a file does."""
        splitter = word_tokenizer(self.settings.split_on, self.settings.lowercase).splitter()
        for number, source in enumerate(sources):
            text_hash.update(b"\0" * (number > 0))  # a word ends where a file does
            for text, size in text_chunks(source, self.settings.encoding):
                text_hash.update(text.encode("utf-8", "surrogatepass"))
                yield splitter.add(text), size
            yield splitter.end(), 0
        self._marks |= splitter.marks

    def count(self, piece: list[str], held_out: bool) -> None:
        """Notes words."""
        if held_out:
            if len(self._held_out) < DISTINCT:
                self._held_out.update(piece)
            return
        self._counts.update(piece)
        while len(self._counts) > DISTINCT:
            self._forgotten += 1
            self._counts = Counter({word: count - 1 for word, count in self._counts.items() if count > 1})

    def vocabulary(self) -> Vocabulary:
        """The words from the most frequent to the rarest, equally frequent ones by code point."""
        least, size, counts = self.settings.min_count, self.settings.vocab_size, self._counts
        if self._forgotten >= least and size is None:
            raise TextError(
                f"the text has more than {DISTINCT:,} different words, too many for a model. Keep the most frequent: "
                "--vocab-size 50000"
            )
        words = [word for word, count in counts.items() if count >= least]
        if not words:
            raise TextError(f"--min-count {least} leaves no word: the text has {counts.total():,} in all.")
        words.sort(key=lambda word: (-counts[word], word))
        words = words[:size]
        if UNKNOWN not in words and (len(words) < len(counts) or self._forgotten or self._held_out - set(words)):
            words = [UNKNOWN, *words][:size]
        return Vocabulary(
            "word",
            tuple(words),
            words.index(UNKNOWN) if UNKNOWN in words else None,
            self.settings.split_on,
            self.settings.lowercase,
            {word: self._marks[word] for word in words if word in self._marks},
        )

    @property
    def distinct(self) -> int:
        """Different words in the text."""
        return len(self._counts)

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The words that occur least."""
        return heapq.nsmallest(number, self._counts.items(), key=lambda item: (item[1], item[0]))

    def characters(self, piece: list[str]) -> int:
        """Those of the words, and of the spaces between them."""
        return sum(map(len, map(self._joiner.add, piece)))

    def encode(self, piece: list[str], vocabulary: Vocabulary) -> Ids:
        """The ids of words, by a dictionary."""
        id_of, unknown = vocabulary.ids.get, vocabulary.unknown or 0
        ids: Ids = np.array([id_of(word, unknown) for word in piece], id_type(vocabulary))
        return ids
