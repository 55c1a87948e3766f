"""A text as the ids of a vocabulary, with what scoring it needs: its characters, its lines, what is unknown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import TextError
from charrnn_cli.text.coding import Ids
from charrnn_cli.text.sources import Source, text_chunks
from charrnn_cli.text.tokenizer import Joiner, line_end, tokenizer, tokenizer_of, word_tokenizer
from charrnn_cli.text.vocabulary import EOD, Vocabulary

PIECE = 1 << 16  # ids that are turned into tokens at once


@dataclass(frozen=True)
class Line:
    """A line of a text: its last token is the one before `end`."""

    end: int
    characters: int  # of its tokens that can be scored: all, but for the first one of the text
    text: str


@dataclass
class Reading:
    """N tokens of a text. What follows the first one can be scored."""

    ids: NDArray[np.int32]  # (N,)
    characters: int  # of all tokens but the first
    unknown: int  # tokens that the vocabulary lacks: as the unknown token, or left out
    lines: list[Line] = field(default_factory=list)


def read_split(ids: Ids, vocabulary: Vocabulary, by_line: bool, characters: int | None = None) -> Reading:
    """Ids of a prepared text of so many `characters`, or of those of its tokens. Raises TextError.

    The length of a word that stands as the unknown token is known in all of a split alone: a line counts the token's.
    """
    pieces = (ids[start : start + PIECE] for start in range(0, len(ids), PIECE))
    decoded = ((vocabulary.decode(piece.tolist()), piece) for piece in pieces)
    reading = _reading(decoded, tokenizer_of(vocabulary).joiner(), vocabulary, by_line)
    if characters is not None:
        first = len(tokenizer_of(vocabulary).joiner().add(vocabulary.tokens[ids[0]]))
        reading.characters = characters - first
    return reading


def read_text(
    sources: Iterable[Source], vocabulary: Vocabulary, encoding: str, skip_unknown: bool, by_line: bool
) -> Reading:
    """Files as the tokens of `vocabulary`. Raises TextError, DiskError.

    What the vocabulary lacks is its unknown token. Where it has none, that is left out with `skip_unknown`, and refused
    without.
    """

    def pieces() -> Iterator[tuple[list[str], NDArray[np.int32]]]:
        for tokens in _tokens(sources, vocabulary, encoding, marks):
            if vocabulary.unknown is None and (lacks := vocabulary.lacks(tokens)):
                if not skip_unknown:
                    shown = ", ".join([repr(token) for token in dict.fromkeys(tokens[at] for at in lacks)][:5])
                    raise TextError(
                        f"the text has what the model has never seen: {shown}. To score it without that: --unknown skip"
                    )
                left_out.append(len(lacks))
                tokens = [token for token in tokens if token in vocabulary.ids]
            yield tokens, np.array([vocabulary.ids.get(token, vocabulary.unknown or 0) for token in tokens], np.int32)

    left_out: list[int] = []
    marks = dict(vocabulary.marks)  # and those that the text has besides
    joiner = tokenizer(vocabulary.level, vocabulary.split_on, vocabulary.lowercase, marks).joiner()
    reading = _reading(pieces(), joiner, vocabulary, by_line)
    reading.unknown += sum(left_out)
    return reading


def _tokens(
    sources: Iterable[Source], vocabulary: Vocabulary, encoding: str, marks: dict[str, str]
) -> Iterator[list[str]]:
    """The tokens of files, which are one text; what their marks stand for is added to `marks`."""
    if vocabulary.level == "byte":
        for source in sources:
            for data, _ in source.chunks():
                yield [f"{byte:02x}" for byte in data]
    elif vocabulary.level == "char":
        for source in sources:
            for text, _ in text_chunks(source, encoding):
                yield tokenizer_of(vocabulary).split(text)
    else:
        splitter = word_tokenizer(vocabulary.split_on, vocabulary.lowercase).splitter()
        for source in sources:
            for text, _ in text_chunks(source, encoding):
                tokens = splitter.add(text)
                marks |= splitter.marks
                yield tokens
            tokens = splitter.end()
            marks |= splitter.marks
            yield tokens


def _reading(
    pieces: Iterable[tuple[list[str], NDArray[np.integer]]], joiner: Joiner, vocabulary: Vocabulary, by_line: bool
) -> Reading:
    """Joins the tokens to count their characters, and to find the lines."""
    ends_line = (line_end(vocabulary), *([EOD] if vocabulary.end is not None else []))
    ids: list[NDArray[np.int32]] = []
    lines: list[Line] = []
    count, unknown, characters, first = 0, 0, 0, 0
    line: list[str] = []
    for tokens, piece in pieces:
        for token in tokens:
            text = joiner.add(token)
            characters += len(text)
            if count == 0:
                first = len(text)
            count += 1
            if by_line:
                line.append(text)
                if token in ends_line:
                    lines.append(_line(count, line))
                    line = []
        ids.append(piece.astype(np.int32))
        if vocabulary.unknown is not None:
            unknown += int(np.count_nonzero(piece == vocabulary.unknown))
    characters += len(rest := joiner.end())
    if by_line and (line or rest):
        lines.append(_line(count, [*line, rest]))
    if lines:
        lines[0] = replace(lines[0], characters=lines[0].characters - first)
    if count < 2:
        had = "no token" if count == 0 else "one token, which is given"
        raise TextError(f"the text has {had}: there is nothing to score. Name a longer one: charrnn evaluate FILE.txt")
    return Reading(np.concatenate(ids), characters - first, unknown, lines)


def _line(end: int, texts: list[str]) -> Line:
    text = "".join(texts)
    return Line(end, len(text), text.rstrip("\n"))
