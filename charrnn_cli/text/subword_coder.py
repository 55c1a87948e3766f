"""Subwords as ids. They are learned in a separate pass over the training text, before its tokens are counted."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SUBWORDS, PrepareSettings
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.blocks import TextBlock, text_blocks
from charrnn_cli.text.sources import Source
from charrnn_cli.text.subwords import SPACED_WORDS, Subwords
from charrnn_cli.text.token_ids import CountedTokens, EncodedTokens, TokenIds, id_type
from charrnn_cli.text.vocabulary import END, EOD, UNKNOWN, Vocabulary
from charrnn_cli.text.word_counts import WordCounts
from charrnn_cli.text.workers import work_in_order

if TYPE_CHECKING:
    from charrnn_cli.text.coding import TextHash

BLOCK_ENDS = ("\n", END)  # no subword goes beyond them
LEARNED_WORDS = 10_000_000  # to learn subwords from; the counts of a longer text are scaled down to about this total
LEAST_COUNT = 10  # of a pair that is merged: rarer subwords are hardly learned


class SubwordCoder:
    """The coder of the level "subword". It learns subwords, unless it encodes a text for a `known` vocabulary."""

    def __init__(self, settings: PrepareSettings, processes: int, known: Vocabulary | None = None) -> None:
        self.settings = settings
        self._processes = processes
        self._alphabet: list[str] = []
        self._learned: Sequence[str] = known.tokens if known else ()
        self._knows_subwords = known is not None
        self._counts: Counter[str] = Counter()
        self._held_out: set[str] = set()

    def learn(self, sources: Sequence[Source]) -> Iterator[int]:
        if self._knows_subwords:
            return
        words, characters = WordCounts(), Counter[str]()
        work = partial(_count_words, self.settings.lowercase)
        for block, found in work_in_order(work, self._blocks(sources, sha256()), self._processes):
            words.add(found.words)
            characters.update(found.characters)
            yield block.size
        self._alphabet = self._frequent(characters)
        if self._alphabet:
            self._learned = learned_subwords(words.counts, self._alphabet, self._places())

    def _frequent(self, characters: Counter[str]) -> list[str]:
        """The characters that get a token, by code point. Raises TextError if there are none."""
        del characters[END]
        least = self.settings.min_count
        frequent = sorted(character for character, count in characters.items() if count >= least)
        if characters and not frequent:
            raise TextError(
                f"`min_count={least}` leaves no characters: the text has only {characters.total()}. Pass a smaller "
                "`min_count`."
            )
        return frequent

    def _places(self) -> int:
        """The number of subwords that the vocabulary has a place for. Raises TextError if it has none."""
        limit, fixed = self.settings.vocab_size, len(self._alphabet) + len((UNKNOWN, EOD))
        if limit is None:
            return SUBWORDS
        if limit <= fixed:
            raise TextError(
                f"`vocab_size={limit}` is too small for subwords: each of the {len(self._alphabet):,} different "
                f"characters of the text needs a place. Pass at least `vocab_size={fixed + 1}`, or a larger "
                "`min_count`."
            )
        return limit - fixed

    def count(self, sources: Sequence[Source], text_hash: "TextHash", held_out: bool) -> Iterator[CountedTokens]:
        subwords = Subwords({subword: rank for rank, subword in enumerate(self._learned)})
        work = partial(_count_subwords, self.settings.lowercase, self.settings.documents is not None, subwords)
        for block, (counts, ends) in work_in_order(work, self._blocks(sources, text_hash), self._processes):
            if held_out:
                self._held_out |= counts.keys()
            else:
                self._counts.update(counts)
            yield CountedTokens(counts.total(), block.size, ends)

    def vocabulary(self) -> Vocabulary:
        """The special tokens, the characters by code point, and the subwords in the order of learning."""
        has_ends = self.settings.documents is not None
        known = [*self._alphabet, *self._learned]
        has_unknown = not self._counts.keys() | self._held_out <= {EOD, *known}
        return Vocabulary.with_special("subword", known, has_unknown, has_ends, self.settings.lowercase)

    @property
    def unspaced_share(self) -> float:
        return 0.0  # subwords need no spaces

    @property
    def distinct(self) -> int:
        return len(self._counts)

    def rarest(self, number: int) -> list[tuple[str, int]]:
        return heapq.nsmallest(number, self._counts.items(), key=lambda item: (item[1], item[0]))

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        return sorted((self._counts.keys() | self._held_out) - vocabulary.ids.keys())

    def encode(
        self, sources: Sequence[Source], text_hash: "TextHash", vocabulary: Vocabulary
    ) -> Iterator[EncodedTokens]:
        special = {vocabulary.unknown: 1, vocabulary.end: 0}
        lengths = np.array([special.get(id, len(token)) for id, token in enumerate(vocabulary.tokens)], np.uint32)
        work = partial(_encode_subwords, vocabulary, Subwords(vocabulary.ids))
        for block, ids in work_in_order(work, self._blocks(sources, text_hash), self._processes):
            yield EncodedTokens(ids, lengths[ids], block.size)

    def _blocks(self, sources: Sequence[Source], text_hash: "TextHash") -> Iterator[TextBlock]:
        return text_blocks(sources, self.settings, text_hash, BLOCK_ENDS, files_are_independent=True)


def learned_subwords(words: Mapping[str, int], alphabet: Sequence[str], number: int) -> list[str]:
    """The first `number` subwords that byte-pair encoding merges in `words`, given with their counts.

    Only characters of the `alphabet` are merged. Returns fewer subwords if no other pair is frequent enough. Raises
    UsageError if the package tokenizers is missing.
    """
    try:
        from tokenizers import Tokenizer
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import Split
        from tokenizers.trainers import BpeTrainer
    except ImportError as error:
        raise UsageError(
            "`level=subword` needs the package tokenizers, which is not installed. Type: pip install tokenizers"
        ) from error
    share = max(1, sum(words.values()) // LEARNED_WORDS)
    known = set(alphabet)
    repeated = ((word + END) * (count // share) for word, count in sorted(words.items()) if known.issuperset(word))
    learner = Tokenizer(BPE())
    learner.pre_tokenizer = Split(END, "removed")
    trainer = BpeTrainer(
        vocab_size=len(alphabet) + number,
        min_frequency=LEAST_COUNT,
        initial_alphabet=list(alphabet),
        show_progress=False,
    )
    learner.train_from_iterator(repeated, trainer)
    ranks: dict[str, int] = learner.get_vocab()
    return sorted((token for token in ranks if len(token) > 1), key=ranks.__getitem__)


class _Found(NamedTuple):
    words: Counter[str]
    characters: Counter[str]


def _words(lowercase: bool, block: TextBlock) -> list[str]:
    return [word for text in block.texts for word in SPACED_WORDS.findall(text.lower() if lowercase else text)]


def _count_words(lowercase: bool, block: TextBlock, _: None) -> tuple[_Found, None]:
    """The words of a block and its characters."""
    characters = Counter[str]()
    for text in block.texts:
        characters.update(text.lower() if lowercase else text)
    return _Found(Counter(_words(lowercase, block)), characters), None


def _count_subwords(
    lowercase: bool, has_documents: bool, subwords: Subwords, block: TextBlock, _: None
) -> tuple[tuple[Counter[str], NDArray[np.int64]], None]:
    """The subwords of a block, counted, and the number of tokens up to and including each end of a document."""
    words = _words(lowercase, block)
    counts = Counter[str]()
    for word, count in Counter(words).items():
        for subword in subwords[word]:
            counts[subword] += count
    if not has_documents:
        return (counts, np.zeros(0, np.int64)), None
    positions = np.cumsum([len(subwords[word]) for word in words])
    return (counts, positions[[word == END for word in words]]), None


def _encode_subwords(vocabulary: Vocabulary, subwords: Subwords, block: TextBlock, _: None) -> tuple[TokenIds, None]:
    """The ids of the subwords of a block."""
    id_of, unknown = vocabulary.ids.get, vocabulary.unknown or 0
    tokens = subwords.of(_words(vocabulary.lowercase, block))
    ids: TokenIds = np.array([id_of(token, unknown) for token in tokens], id_type(vocabulary))
    return ids, None
