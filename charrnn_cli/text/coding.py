"""A text's tokens: counted in a first pass over the text, and turned into ids in a second one."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from charrnn_cli.config import PrepareSettings
from charrnn_cli.text.character_coder import CharacterCoder
from charrnn_cli.text.sources import Source
from charrnn_cli.text.subword_coder import SubwordCoder
from charrnn_cli.text.token_ids import CountedTokens, EncodedTokens
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.text.word_coder import WordCoder


class TextHash(Protocol):
    """A hash of the clean text, such as one from hashlib."""

    def update(self, data: bytes, /) -> None:
        """Adds more of the text."""


class Coder(Protocol):
    """Counts tokens, makes the vocabulary, and encodes texts as ids."""

    def learn(self, sources: Sequence[Source]) -> Iterator[int]:
        """Learns from the training text what a token is, if the level needs that. Yields the bytes that were read.

        Raises TextError, UsageError, DiskError.
        """

    def count(self, sources: Sequence[Source], text_hash: TextHash, held_out: bool) -> Iterator[CountedTokens]:
        """Counts the tokens of one text, piece by piece.

        Tokens of a `held_out` text do not enter the vocabulary. Raises TextError, DiskError.
        """

    def vocabulary(self) -> Vocabulary:
        """The vocabulary. The same text always gives the same ids. Raises TextError."""

    def rarest(self, number: int) -> list[tuple[str, int]]:
        """The rarest tokens with their counts, ascending."""

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        """The tokens of the text, held out or not, that a `vocabulary` does not have."""

    @property
    def unspaced_share(self) -> float:
        """The share of the text that is in scripts without spaces between words, and is therefore cut into clauses."""

    @property
    def distinct(self) -> int:
        """Number of different tokens in the text."""

    def encode(self, sources: Sequence[Source], text_hash: TextHash, vocabulary: Vocabulary) -> Iterator[EncodedTokens]:
        """The ids of one text, in the smallest type that holds them. Raises TextError, DiskError."""


def coder(settings: PrepareSettings, processes: int = 1, known: Vocabulary | None = None) -> Coder:
    """The coder of a level. At the levels "word" and "subword" several processes can share its work.

    A text that is only encoded for a `known` vocabulary is split into the tokens of that.
    """
    if settings.level == "subword":
        return SubwordCoder(settings, processes, known)
    return WordCoder(settings, processes) if settings.level == "word" else CharacterCoder(settings)
