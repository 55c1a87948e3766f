"""Words as ids. Words are Python strings in dictionaries, so large texts are split into blocks that processes share."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings, SplitOn
from charrnn_cli.errors import TextError
from charrnn_cli.text.blocks import TextBlock, text_blocks
from charrnn_cli.text.scripts import unspaced_share
from charrnn_cli.text.sources import Source
from charrnn_cli.text.token_ids import CountedTokens, EncodedTokens, TokenIds, id_type
from charrnn_cli.text.tokenizer import WhitespaceSplitter, word_tokenizer
from charrnn_cli.text.vocabulary import END, EOD, UNKNOWN, Vocabulary
from charrnn_cli.text.word_counts import MAX_DISTINCT, WordCounts
from charrnn_cli.text.words import WordSplitter
from charrnn_cli.text.workers import work_in_order

if TYPE_CHECKING:
    from charrnn_cli.text.coding import TextHash

SPLIT_CHARACTERS = 1 << 16  # that are split into words at a time
WORDS_AT_ONCE = 1 << 15  # words that are Python strings at the same time, about; bounds memory
Splitter = WordSplitter | WhitespaceSplitter


class WordCoder:
    """The coder of the level "word"."""

    def __init__(self, settings: PrepareSettings, processes: int) -> None:
        self.settings = settings
        self._processes = processes
        self._words = WordCounts()
        self._held_out: set[str] = set()
        self._marks: dict[str, str] = {}

    def learn(self, sources: Sequence[Source]) -> Iterator[int]:
        return iter(())  # a rule says what a word is

    def count(self, sources: Sequence[Source], text_hash: "TextHash", held_out: bool) -> Iterator[CountedTokens]:
        has_documents = self.settings.documents is not None
        work = partial(_count_words, self.settings.split_on, self.settings.lowercase, has_documents)
        for block, counted in work_in_order(work, self._blocks(sources, text_hash), self._processes):
            self._marks |= counted.marks
            if not held_out:
                self._words.add(counted.words)
            elif len(self._held_out) < MAX_DISTINCT:
                self._held_out.update(counted.words)
            yield CountedTokens(counted.words.total(), block.size, counted.document_ends)

    def vocabulary(self) -> Vocabulary:
        """The words by descending count; words of the same count by code point. Raises TextError."""
        words = self._with_document_end(self._with_unknown(self._frequent()))
        return Vocabulary(
            "word",
            tuple(words),
            unknown=words.index(UNKNOWN) if UNKNOWN in words else None,
            split_on=self.settings.split_on,
            lowercase=self.settings.lowercase,
            marks={word: self._marks[word] for word in words if word in self._marks},
            end=words.index(EOD) if self.settings.documents is not None else None,
        )

    def _frequent(self) -> list[str]:
        """The words that `min_count` and `vocab_size` keep, the most frequent first. Raises TextError."""
        min_count, vocab_size, counts = self.settings.min_count, self.settings.vocab_size, self._words.counts
        if self._words.lowered >= min_count and vocab_size is None:
            raise TextError(
                f"the text has more than {MAX_DISTINCT:,} different words, too many for a model. Limit the vocabulary "
                "to the most frequent, for example `vocab_size=50000`."
            )
        words = [word for word, count in counts.items() if count >= min_count]
        if not words:
            raise TextError(
                f"`min_count={min_count}` leaves no words: the text has only {counts.total():,}. Pass a smaller "
                "`min_count`."
            )
        words.sort(key=lambda word: (-counts[word], word))
        return words[:vocab_size]

    def _with_unknown(self, words: list[str]) -> list[str]:
        """The words, after <unk> if the text has other words too."""
        if UNKNOWN in words:
            return words
        has_others = len(words) < len(self._words.counts) or self._words.lowered > 0 or not self._held_out <= set(words)
        return [UNKNOWN, *words][: self.settings.vocab_size] if has_others else words

    def _with_document_end(self, words: list[str]) -> list[str]:
        """The words, and <eod> if the text has documents; in a full vocabulary, in place of the rarest."""
        if self.settings.documents is None or EOD in words:
            return words
        if len(words) == self.settings.vocab_size:
            words = words[:-1]
        return [*words, EOD]

    @property
    def unspaced_share(self) -> float:
        if self.settings.split_on == "whitespace":
            return 0.0  # the text is already tokenized
        return unspaced_share({word: count for word, count in self._words.counts.items() if word not in self._marks})

    @property
    def distinct(self) -> int:
        return len(self._words.counts)

    def rarest(self, number: int) -> list[tuple[str, int]]:
        return heapq.nsmallest(number, self._words.counts.items(), key=lambda item: (item[1], item[0]))

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        return sorted((self._words.counts.keys() | self._held_out) - vocabulary.ids.keys())

    def encode(
        self, sources: Sequence[Source], text_hash: "TextHash", vocabulary: Vocabulary
    ) -> Iterator[EncodedTokens]:
        work = partial(_encode_words, self.settings.split_on, self.settings.lowercase, vocabulary)
        for block, (ids, characters) in work_in_order(work, self._blocks(sources, text_hash), self._processes):
            yield EncodedTokens(ids, characters, block.size)

    def _blocks(self, sources: Sequence[Source], text_hash: "TextHash") -> Iterator[TextBlock]:
        """One text in blocks that can be split into words independently."""
        on_whitespace = self.settings.split_on == "whitespace"
        block_ends = ("\n" if on_whitespace else "\n\n", END)
        return text_blocks(sources, self.settings, text_hash, block_ends, files_are_independent=on_whitespace)


class _CountedWords(NamedTuple):
    words: Counter[str]
    marks: Mapping[str, str]  # what punctuation tokens stand for
    document_ends: list[int]  # positions after the words that end a document


def _count_words(
    split_on: SplitOn, lowercase: bool, has_documents: bool, block: TextBlock, splitter: Splitter | None
) -> tuple[_CountedWords, Splitter]:
    """The words of a block, counted, and the splitter as the next block may need it."""
    splitter = splitter or word_tokenizer(split_on, lowercase).splitter()
    counts: Counter[str] = Counter()
    ends: list[int] = []
    position = 0
    for words in _word_lists(block, splitter):
        counts.update(words)
        if has_documents:
            ends += [end for end, word in enumerate(words, position + 1) if word == EOD]
        position += len(words)
    return _CountedWords(counts, splitter.marks, ends), splitter


def _encode_words(
    split_on: SplitOn, lowercase: bool, vocabulary: Vocabulary, block: TextBlock, splitter: Splitter | None
) -> tuple[tuple[TokenIds, NDArray[np.uint32]], Splitter]:
    """The ids of the words of a block with their numbers of characters, and the splitter."""
    splitter = splitter or word_tokenizer(split_on, lowercase).splitter()
    id_of, unknown, dtype = vocabulary.ids.get, vocabulary.unknown or 0, id_type(vocabulary)
    ids, lengths = [np.zeros(0, dtype)], [np.zeros(0, np.uint32)]
    for words in _word_lists(block, splitter):
        ids.append(np.array([id_of(word, unknown) for word in words], dtype))
        lengths.append(np.array(splitter.lengths, np.uint32))
    return (np.concatenate(ids), np.concatenate(lengths)), splitter


def _word_lists(block: TextBlock, splitter: Splitter) -> Iterator[list[str]]:
    """The words of a block, some at a time, because each takes much more memory than its id.

    Their numbers of characters, with the spaces before them, are in `splitter.lengths` until the next list.
    """
    words: list[str] = []
    splitter.lengths.clear()
    for number, text in enumerate(block.texts, 1):
        for start in range(0, len(text), SPLIT_CHARACTERS):
            words += splitter.add(text[start : start + SPLIT_CHARACTERS])
            if len(words) >= WORDS_AT_ONCE:
                yield words
                words = []
                splitter.lengths.clear()
        if number < len(block.texts) or block.ends_file:
            words += splitter.end()
    yield words
