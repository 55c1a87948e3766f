"""Characters and bytes as ids. They stay NumPy arrays all the way: a character's code indexes a table of ids."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.reader import document_chunks
from charrnn_cli.text.sources import Source
from charrnn_cli.text.token_ids import CountedTokens, EncodedTokens, TokenIds, id_type
from charrnn_cli.text.vocabulary import END, EOD, Vocabulary

if TYPE_CHECKING:
    from charrnn_cli.text.coding import TextHash

CODE_POINTS = 0x110000  # of Unicode
CharacterCodes = NDArray[np.uint8] | NDArray[np.uint32]


class CharacterCoder:
    """The coder of the levels "char", whose codes are Unicode code points, and "byte"."""

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings
        self._bytes = settings.level == "byte"
        codes = 256 if self._bytes else CODE_POINTS
        self._counts = np.zeros(codes, np.int64)
        self._held_out = np.zeros(codes, bool)

    def learn(self, sources: Sequence[Source]) -> Iterator[int]:
        return iter(())  # a character is a token

    def count(self, sources: Sequence[Source], text_hash: "TextHash", held_out: bool) -> Iterator[CountedTokens]:
        for codes, size in self._codes(sources, text_hash):
            counts = np.bincount(codes)
            if held_out:
                self._held_out[: len(counts)] |= counts > 0
            else:
                self._counts[: len(counts)] += counts
            yield CountedTokens(len(codes), size, self._document_ends(codes))

    def _document_ends(self, codes: CharacterCodes) -> Sequence[int] | NDArray[np.int64]:
        """The positions after the characters that end a document."""
        return () if self.settings.documents is None else np.flatnonzero(codes == ord(END)) + 1

    def vocabulary(self) -> Vocabulary:
        """All 256 bytes, or the characters by code point after the special tokens. Raises TextError."""
        if self._bytes:
            return Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
        has_ends = self.settings.documents is not None
        known, has_unknown = self._known(has_ends)
        characters = map(chr, sorted(known.tolist()))
        return Vocabulary.with_special("char", characters, has_unknown, has_ends, self.settings.lowercase)

    def _known(self, has_ends: bool) -> tuple[NDArray[np.int64], bool]:
        """The codes of the vocabulary, and whether the text has others. Raises TextError if there are none."""
        frequent = np.flatnonzero(self._counts >= self.settings.min_count)
        frequent = frequent[frequent != ord(END)]
        if not len(frequent):
            raise TextError(
                f"`min_count={self.settings.min_count}` leaves no characters: the text has only {self._counts.sum()}. "
                "Pass a smaller `min_count`."
            )
        limit = self.settings.vocab_size
        if limit is not None:
            limit = max(limit - has_ends, 1)
        known = frequent[np.argsort(-self._counts[frequent], kind="stable")][:limit]
        occurring = self._occurring()
        has_unknown = len(np.setdiff1d(occurring[occurring != ord(END)], known)) > 0
        if has_unknown and len(known) == limit:
            known = known[:-1]  # <unk> takes its place
        return known, has_unknown

    def _occurring(self) -> NDArray[np.int64]:
        """All codes of the text, held out or not."""
        return np.flatnonzero((self._counts > 0) | self._held_out)

    @property
    def unspaced_share(self) -> float:
        return 0.0  # characters need no spaces

    @property
    def distinct(self) -> int:
        return int(np.count_nonzero(self._counts))

    def rarest(self, number: int) -> list[tuple[str, int]]:
        occurring = np.flatnonzero(self._counts)
        rarest = occurring[np.argsort(self._counts[occurring], kind="stable")][:number]
        return [(self._token(code), int(self._counts[code])) for code in rarest.tolist()]

    def lacking(self, vocabulary: Vocabulary) -> list[str]:
        tokens = map(self._token, self._occurring().tolist())
        return [token for token in tokens if token not in vocabulary.ids]

    def encode(
        self, sources: Sequence[Source], text_hash: "TextHash", vocabulary: Vocabulary
    ) -> Iterator[EncodedTokens]:
        id_of_code = self._ids(vocabulary)
        for codes, size in self._codes(sources, text_hash):
            characters = None
            if self._bytes:
                characters = (codes & 0xC0) != 0x80  # the other bytes continue a character of UTF-8
            elif vocabulary.end is not None:
                characters = codes != ord(END)
            yield EncodedTokens(id_of_code[codes], characters, size)

    def _ids(self, vocabulary: Vocabulary) -> TokenIds:
        """The id of every code."""
        if self._bytes:
            return np.arange(256, dtype=np.uint8)
        ids = np.full(CODE_POINTS, vocabulary.unknown or 0, id_type(vocabulary))
        for id, token in enumerate(vocabulary.tokens):
            if id == vocabulary.end:
                ids[ord(END)] = id
            elif id != vocabulary.unknown:
                ids[ord(token)] = id
        return ids

    def _codes(self, sources: Sequence[Source], text_hash: "TextHash") -> Iterator[tuple[CharacterCodes, int]]:
        """The codes of one text, and the bytes that were read for them."""
        for source in sources:
            if self._bytes:
                for data, size in source.chunks():
                    text_hash.update(data)
                    yield np.frombuffer(data, np.uint8), size
                continue
            for text, size in document_chunks(source, self.settings):
                clean = text.lower() if self.settings.lowercase else text
                data = clean.encode("utf-8", "surrogatepass")
                text_hash.update(data)
                if clean.isascii():
                    yield np.frombuffer(data, np.uint8), size
                else:
                    yield np.frombuffer(clean.encode("utf-32-le", "surrogatepass"), np.uint32), size

    def _token(self, code: int) -> str:
        if self._bytes:
            return f"{code:02x}"
        return EOD if code == ord(END) else chr(code)
