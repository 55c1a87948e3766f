"""A text in the form that scoring needs: ids, the number of characters, lines, and the number of unknown tokens."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.composition import chunks_with_known_characters, with_known_words
from charrnn_cli.text.decoding import Chunks
from charrnn_cli.text.reader import chunks_for_model, document_chunks, other_advice
from charrnn_cli.text.sources import Source
from charrnn_cli.text.token_ids import TokenIds
from charrnn_cli.text.tokenizer import Joiner, SubwordTokenizer, line_end, tokenizer_of, word_tokenizer
from charrnn_cli.text.vocabulary import EOD, Vocabulary

DECODED_TOKENS = 1 << 16  # number of ids that are decoded in one piece
NAMED_TOKENS = 5  # number of unknown tokens that a message names
NO_TOKEN = -1  # the id of the end of a document if the vocabulary has no token for it


class TokenPart(NamedTuple):
    """A part of a text: its tokens in the form of the vocabulary, their ids, and the number of tokens left out."""

    tokens: list[str]
    ids: NDArray[np.int32]
    skipped: int = 0


@dataclass(frozen=True)
class ScorableLine:
    """A line of a text: its last token is the one before `end`."""

    end: int
    characters: int  # of the tokens that can be scored: all of them, except the first token of the text
    text: str


@dataclass(frozen=True)
class ScorableText:
    """N tokens of a text. All but the first can be scored."""

    ids: NDArray[np.int32]  # (N,)
    characters: int  # of all tokens but the first
    unknown: int  # number of tokens that the vocabulary does not have, whether kept as <unk> or skipped
    lines: list[ScorableLine] = field(default_factory=list)


def read_split(ids: TokenIds, vocabulary: Vocabulary, by_line: bool, characters: int | None = None) -> ScorableText:
    """A split of a prepared text, whose number of `characters` was counted then. Raises TextError, RunError.

    The length of a word that is stored as <unk> is lost: `characters` includes it, but lines count that of "<unk>".
    """
    joiner = tokenizer_of(vocabulary).joiner()
    collector = _Collector(vocabulary, joiner, by_line)
    for part in split_parts(ids, vocabulary):
        collector.add(part.tokens, part.ids)
    text = collector.finish()
    if characters is None:
        return text
    first = tokenizer_of(vocabulary).joiner().add(vocabulary.tokens[ids[0]])
    return replace(text, characters=characters - len(first))


def read_text(
    sources: Iterable[Source],
    vocabulary: Vocabulary,
    settings: PrepareSettings,
    skip_unknown: bool,
    by_line: bool,
    needs_records: bool = False,
) -> ScorableText:
    """Files in the tokens of `vocabulary`, as `text_parts` reads them. Raises TextError, DiskError."""
    marks = dict(vocabulary.marks)  # grows by the marks that only this text has
    joiner = tokenizer_of(vocabulary, marks).joiner()
    collector = _Collector(vocabulary, joiner, by_line)
    skipped = 0
    for part in text_parts(sources, vocabulary, settings, skip_unknown, marks, needs_records):
        collector.add(part.tokens, part.ids)
        skipped += part.skipped
    text = collector.finish()
    return replace(text, unknown=text.unknown + skipped)


def split_parts(ids: TokenIds, vocabulary: Vocabulary) -> Iterator[TokenPart]:
    """A split of a prepared text, part by part. Raises RunError."""
    for start in range(0, len(ids), DECODED_TOKENS):
        part = ids[start : start + DECODED_TOKENS]
        yield TokenPart(vocabulary.decode(part.tolist()), part.astype(np.int32))


def text_parts(
    sources: Iterable[Source],
    vocabulary: Vocabulary,
    settings: PrepareSettings,
    skip_unknown: bool,
    marks: dict[str, str],
    needs_records: bool = False,
    all_ends: bool = False,
) -> Iterator[TokenPart]:
    """Files as one text, part by part, for a model whose own text was read with `settings`.

    A model that learned from records also reads plain text, unless `needs_records` is set. A token that the vocabulary
    does not have becomes <unk>. Without <unk>, it is left out if `skip_unknown` is set, and an error otherwise;
    with `all_ends`, the end of a document is kept in any case. Adds to `marks` what punctuation tokens stand for.
    Raises TextError, DiskError.
    """
    ids = vocabulary.ids | {EOD: NO_TOKEN} if all_ends and vocabulary.end is None else vocabulary.ids
    with other_advice("Choose its encoding, for example `encoding=cp1252` or `encoding=utf-16`."):
        read = partial(document_chunks if needs_records else chunks_for_model, settings=settings)
        for tokens in _tokens(sources, vocabulary, read, marks):
            known = tokens if vocabulary.unknown is not None else _known(tokens, ids, skip_unknown)
            known_ids = np.array([ids.get(token, vocabulary.unknown or 0) for token in known], np.int32)
            yield TokenPart(known, known_ids, len(tokens) - len(known))


def _known(tokens: list[str], ids: Mapping[str, int], skip_unknown: bool) -> list[str]:
    """The tokens that have an id. Raises TextError if some have none and they are not skipped."""
    unknown = list(dict.fromkeys(token for token in tokens if token not in ids))
    if unknown and not skip_unknown:
        raise TextError(
            f"the model does not know these parts of the text: {', '.join(map(repr, unknown[:NAMED_TOKENS]))}. To "
            "score the text without them, pass `unknown=skip`."
        )
    return [token for token in tokens if token in ids] if unknown else tokens


def _tokens(
    sources: Iterable[Source], vocabulary: Vocabulary, read: Callable[[Source], Chunks], marks: dict[str, str]
) -> Iterator[list[str]]:
    """The tokens of files, which are one text. Adds to `marks` what their punctuation tokens stand for."""
    if vocabulary.level == "byte":
        for source in sources:
            for data, _ in source.chunks():
                yield [f"{byte:02x}" for byte in data]
    elif vocabulary.level == "char":
        for source in sources:
            for text in chunks_with_known_characters((text for text, _ in read(source)), vocabulary):
                yield tokenizer_of(vocabulary).split(text)
    elif vocabulary.level == "subword":
        tokenizer = SubwordTokenizer(vocabulary.ids, vocabulary.lowercase)
        for source in sources:
            subwords = tokenizer.splitter()
            for text in chunks_with_known_characters((text for text, _ in read(source)), vocabulary):
                yield subwords.add(text)
            yield subwords.end()
    else:
        splitter = word_tokenizer(vocabulary.split_on, vocabulary.lowercase).splitter()
        for source in sources:
            for text, _ in read(source):
                tokens = splitter.add(text)
                marks |= splitter.marks
                yield with_known_words(tokens, vocabulary)
            tokens = splitter.end()
            marks |= splitter.marks
            yield with_known_words(tokens, vocabulary)


class _Collector:
    """Collects tokens, joins them to text to count its characters, and finds the lines if `by_line` is set."""

    def __init__(self, vocabulary: Vocabulary, joiner: Joiner, by_line: bool) -> None:
        self._joiner, self._by_line = joiner, by_line
        self._unknown_id = vocabulary.unknown
        self._line_ends = {line_end(vocabulary)} | ({EOD} if vocabulary.end is not None else set())
        self._ids: list[NDArray[np.int32]] = []
        self._tokens = self._unknown = self._characters = 0
        self._first_characters = 0  # of the first token
        self._lines: list[ScorableLine] = []
        self._line: list[str] = []  # the texts of the tokens of the line that is not finished

    def add(self, tokens: list[str], ids: NDArray[np.int32]) -> None:
        """Adds tokens and their ids."""
        for token in tokens:
            text = self._joiner.add(token)
            self._characters += len(text)
            if self._tokens == 0:
                self._first_characters = len(text)
            self._tokens += 1
            if self._by_line:
                self._line.append(text)
                if token in self._line_ends:
                    self._end_line()
        self._ids.append(ids)
        if self._unknown_id is not None:
            self._unknown += int(np.count_nonzero(ids == self._unknown_id))

    def finish(self) -> ScorableText:
        """The collected text. Raises TextError if it has fewer than two tokens."""
        rest = self._joiner.end()
        self._characters += len(rest)
        if self._by_line and (self._line or rest):
            self._line.append(rest)
            self._end_line()
        if self._lines:
            first = self._lines[0]
            self._lines[0] = replace(first, characters=first.characters - self._first_characters)
        if self._tokens < 2:
            size = "only one token, and the first token is not scored" if self._tokens else "no tokens"
            raise TextError(f"the text has {size}. Pass a longer one.")
        characters = self._characters - self._first_characters
        return ScorableText(np.concatenate(self._ids), characters, self._unknown, self._lines)

    def _end_line(self) -> None:
        text = "".join(self._line)
        self._lines.append(ScorableLine(self._tokens, len(text), text.rstrip("\n")))
        self._line = []
