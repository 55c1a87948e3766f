"""A text's tokens counted in one pass and turned into ids in the next, by level.

Characters and bytes stay NumPy arrays on their way: a code point is an index. Words are Python strings in dictionaries.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings, SplitOn
from charrnn_cli.errors import TextError
from charrnn_cli.text.blocks import Block, blocks, in_order
from charrnn_cli.text.reader import document_chunks
from charrnn_cli.text.sources import Source
from charrnn_cli.text.tokenizer import WhitespaceSplitter, word_tokenizer
from charrnn_cli.text.vocabulary import END, EOD, UNKNOWN, Vocabulary
from charrnn_cli.text.words import WordSplitter

CODE_POINTS = 0x110000
DISTINCT = 1 << 20  # words that are counted at once, at most: memory stays bounded
Codes = NDArray[np.uint8] | NDArray[np.uint32]
Ids = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]


class Hash(Protocol):
    """What the clean text goes into on its way."""

    def update(self, data: bytes, /) -> None:
        """Takes more of the text."""


class Encoded(NamedTuple):
    """Some tokens as ids."""

    ids: Ids  # (N,)
    characters: NDArray[Any] | None  # that each stands for, (N,); None: one each
    size: int  # bytes read for them

    def length(self, count: int) -> int:
        """Characters of the first `count` tokens."""
        return min(count, len(self.ids)) if self.characters is None else int(self.characters[:count].sum())

    def behind(self, count: int) -> "Encoded":
        """All but the first `count` tokens."""
        characters = None if self.characters is None else self.characters[count:]
        return Encoded(self.ids[count:], characters, self.size)


class Coder(Protocol):
    """Counts tokens, makes the vocabulary, and writes ids."""

    def count(self, sources: Sequence[Source], text_hash: Hash, held_out: bool) -> Iterator[tuple[int, int]]:
        """Notes the tokens of one text: so many at a time, with the bytes read for them. Raises TextError, DiskError.

        Those of a text that is `held_out` make no vocabulary.
        """

    def vocabulary(self) -> Vocabulary:
        """The vocabulary: the same text gives the same ids, always. Raises TextError."""

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The tokens that occur least, with their counts, ascending."""

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        """The tokens of the text, held out or not, that a `vocabulary` lacks."""

    @property
    def distinct(self) -> int:
        """Different tokens in the text."""

    def encode(self, sources: Sequence[Source], text_hash: Hash, vocabulary: Vocabulary) -> Iterator[Encoded]:
        """The ids of one text, in the smallest type that holds V of them. Raises TextError, DiskError."""


def coder(settings: PrepareSettings, processes: int = 1) -> Coder:
    """The coder of a level, whose work is shared by so many processes where that pays: at level "word"."""
    return WordCoder(settings, processes) if settings.level == "word" else CodeCoder(settings)


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

    def _pieces(self, sources: Sequence[Source], text_hash: Hash) -> Iterator[tuple[Codes, int]]:
        """The codes of one text."""
        for source in sources:
            if self.settings.level == "byte":
                for data, size in source.chunks():
                    text_hash.update(data)
                    yield np.frombuffer(data, np.uint8), size
            else:
                for text, size in document_chunks(source, self.settings):
                    lower = text.lower() if self.settings.lowercase else text
                    data = lower.encode("utf-8", "surrogatepass")
                    text_hash.update(data)
                    if lower.isascii():
                        yield np.frombuffer(data, np.uint8), size
                    else:
                        yield np.frombuffer(lower.encode("utf-32-le", "surrogatepass"), np.uint32), size

    def count(self, sources: Sequence[Source], text_hash: Hash, held_out: bool) -> Iterator[tuple[int, int]]:
        """Notes codes."""
        for piece, size in self._pieces(sources, text_hash):
            found = np.bincount(piece)
            if held_out:
                self._held_out[: len(found)] |= found > 0
            else:
                self._counts[: len(found)] += found
            yield len(piece), size

    def vocabulary(self) -> Vocabulary:
        """The characters by code point, or all 256 bytes."""
        if self.settings.level == "byte":
            return Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
        least, size, ends = self.settings.min_count, self.settings.vocab_size, self.settings.documents is not None
        known = np.flatnonzero(self._counts >= least)
        known = known[known > 0]  # 0 is the end of a document
        size = None if size is None else max(size - ends, 1)
        if not len(known):
            raise TextError(f"--min-count {least} leaves no character: the text has {self._counts.sum()} in all.")
        known = known[np.argsort(-self._counts[known], kind="stable")][:size]
        everywhere = np.flatnonzero((self._counts > 0) | self._held_out)
        some_unknown = len(np.setdiff1d(everywhere[everywhere > 0], known)) > 0
        if some_unknown and len(known) == size:
            known = known[:-1]
        special = [*([UNKNOWN] if some_unknown else []), *([EOD] if ends else [])]
        tokens = (*special, *map(chr, sorted(known.tolist())))
        unknown, end = (special.index(token) if token in special else None for token in (UNKNOWN, EOD))
        return Vocabulary("char", tokens, unknown, lowercase=self.settings.lowercase, end=end)

    @property
    def distinct(self) -> int:
        """Different codes in the text."""
        return int(np.count_nonzero(self._counts))

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The codes that occur least."""
        occurring = np.flatnonzero(self._counts)
        rarest = occurring[np.argsort(self._counts[occurring], kind="stable")][:number]
        return [(self._shown(code), int(self._counts[code])) for code in rarest.tolist()]

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        """The codes that a vocabulary lacks."""
        found = map(self._shown, np.flatnonzero((self._counts > 0) | self._held_out).tolist())
        return [token for token in found if token not in vocabulary.ids]

    def encode(self, sources: Sequence[Source], text_hash: Hash, vocabulary: Vocabulary) -> Iterator[Encoded]:
        """The ids of codes, by one look-up in a table.

        A character is a code point but the end of a document; of bytes, one that begins a character in UTF-8.
        """
        table = self._ids(vocabulary)
        for piece, size in self._pieces(sources, text_hash):
            characters = None
            if vocabulary.level == "byte":
                characters = (piece & 0xC0) != 0x80
            elif vocabulary.end is not None:
                characters = piece > 0
            yield Encoded(table[piece], characters, size)

    def _ids(self, vocabulary: Vocabulary) -> Ids:
        if vocabulary.level == "byte":
            return np.arange(256, dtype=np.uint8)
        table = np.full(CODE_POINTS, vocabulary.unknown or 0, id_type(vocabulary))
        for id, token in enumerate(vocabulary.tokens):
            if id != vocabulary.unknown:
                table[ord(END if id == vocabulary.end else token)] = id
        return table

    def _shown(self, code: int) -> str:
        if self.settings.level == "byte":
            return f"{code:02x}"
        return EOD if chr(code) == END else chr(code)


class WordCoder:
    """Words, with punctuation tokens or between white space.

    Of a text with more than a million different words the rarest are forgotten on the way: whenever there are too many,
    each count is lowered by one (Misra and Gries 1982), so that memory does not grow with the text.
    """

    def __init__(self, settings: PrepareSettings, processes: int) -> None:
        self.settings = settings
        self._processes = processes
        self._counts: Counter[str] = Counter()
        self._held_out: set[str] = set()
        self._forgotten = 0  # how much too low a count may be
        self._marks: dict[str, str] = {}

    def _blocks(self, sources: Sequence[Source], text_hash: Hash) -> Iterator[Block]:
        """One text; a word ends where a file does."""

        def hashed(number: int, source: Source) -> Iterator[tuple[str, int]]:
            text_hash.update(b"\0" * (number > 0))
            for text, size in document_chunks(source, self.settings):
                text_hash.update(text.encode("utf-8", "surrogatepass"))
                yield text, size

        whitespace = self.settings.split_on == "whitespace"
        files = (hashed(number, source) for number, source in enumerate(sources))
        return blocks(files, ("\n" if whitespace else "\n\n", END), fresh_files=whitespace)

    def count(self, sources: Sequence[Source], text_hash: Hash, held_out: bool) -> Iterator[tuple[int, int]]:
        """Notes words."""
        work = partial(_count, self.settings.split_on, self.settings.lowercase)
        for block, (counts, marks) in in_order(work, self._blocks(sources, text_hash), self._processes):
            self._marks |= marks
            if not held_out:
                self._counts.update(counts)
            elif len(self._held_out) < DISTINCT:
                self._held_out.update(counts)
            while len(self._counts) > DISTINCT:
                self._forgotten += 1
                self._counts = Counter({word: count - 1 for word, count in self._counts.items() if count > 1})
            yield counts.total(), block.size

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
        if self.settings.documents is not None and EOD not in words:
            words = [*words[: len(words) - (len(words) == size)], EOD]
        return Vocabulary(
            "word",
            tuple(words),
            words.index(UNKNOWN) if UNKNOWN in words else None,
            self.settings.split_on,
            self.settings.lowercase,
            {word: self._marks[word] for word in words if word in self._marks},
            words.index(EOD) if self.settings.documents is not None else None,
        )

    @property
    def distinct(self) -> int:
        """Different words in the text."""
        return len(self._counts)

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The words that occur least."""
        return heapq.nsmallest(number, self._counts.items(), key=lambda item: (item[1], item[0]))

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        """The words that a vocabulary lacks."""
        return sorted((self._counts.keys() | self._held_out) - vocabulary.ids.keys())

    def encode(self, sources: Sequence[Source], text_hash: Hash, vocabulary: Vocabulary) -> Iterator[Encoded]:
        """The ids of words, by a dictionary; a word has the space before it."""
        work = partial(_encode, self.settings.split_on, self.settings.lowercase, vocabulary)
        for block, (ids, characters) in in_order(work, self._blocks(sources, text_hash), self._processes):
            yield Encoded(ids, characters, block.size)


def _count(split_on: SplitOn, lowercase: bool, block: Block, splitter: Any) -> tuple[Any, Any]:
    """A block's words, counted, and what their marks stand for."""
    splitter = splitter or word_tokenizer(split_on, lowercase).splitter()
    return (Counter(_words(block, splitter)), splitter.marks), splitter


def _encode(split_on: SplitOn, lowercase: bool, vocabulary: Vocabulary, block: Block, state: Any) -> tuple[Any, Any]:
    """The ids of a block's words, and how many characters each has in the text."""
    splitter = state or word_tokenizer(split_on, lowercase).splitter()
    words = _words(block, splitter)
    id_of, unknown = vocabulary.ids.get, vocabulary.unknown or 0
    ids = np.array([id_of(word, unknown) for word in words], id_type(vocabulary))
    return (ids, np.array(splitter.lengths, np.uint32)), splitter


def _words(block: Block, splitter: WordSplitter | WhitespaceSplitter) -> list[str]:
    """The words of a block, and in the splitter their lengths."""
    words: list[str] = []
    splitter.lengths.clear()
    for number, text in enumerate(block.texts, 1):
        words += splitter.add(text)
        if number < len(block.texts) or block.ends_file:
            words += splitter.end()
    return words
