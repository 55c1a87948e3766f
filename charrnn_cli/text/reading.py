"""A text as the ids of a vocabulary, with what scoring it needs: its characters, its lines, what is unknown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import TextError
from charrnn_cli.text.coding import Ids
from charrnn_cli.text.sources import Source, byte_chunks, text_chunks
from charrnn_cli.text.tokenizer import line_end, tokenizer_of, word_tokenizer
from charrnn_cli.text.vocabulary import Vocabulary

PIECE = 1 << 16  # ids that are turned into tokens at once


@dataclass(frozen=True)
class Line:
    """A line of a text: its last token is the one before `end`."""

    end: int
    characters: int
    text: str


@dataclass
class Reading:
    """N tokens of a text. What follows the first one can be scored."""

    ids: NDArray[np.int32]  # (N,)
    characters: int  # of all tokens but the first
    unknown: int  # tokens that the vocabulary lacks: as the unknown token, or left out
    lines: list[Line] = field(default_factory=list)


def read_split(ids: Ids, vocabulary: Vocabulary, by_line: bool) -> Reading:
    """Ids of a prepared text. Raises TextError where there are too few."""
    pieces = (ids[start : start + PIECE] for start in range(0, len(ids), PIECE))
    return _reading(((vocabulary.decode(piece.tolist()), piece) for piece in pieces), vocabulary, by_line)


def read_text(
    sources: Iterable[Source], vocabulary: Vocabulary, encoding: str, skip_unknown: bool, by_line: bool
) -> Reading:
    """Files as the tokens of `vocabulary`. Raises TextError, DiskError.

    What the vocabulary lacks is its unknown token. Where it has none, that is left out with `skip_unknown`, and refused
    without.
    """

    def pieces() -> Iterator[tuple[list[str], NDArray[np.int32]]]:
        for tokens in _tokens(sources, vocabulary, encoding):
            if vocabulary.unknown is None and (lacks := vocabulary.lacks(tokens)):
                if not skip_unknown:
                    shown = ", ".join(repr(token) for token in dict.fromkeys(tokens[at] for at in lacks[:5]))
                    raise TextError(
                        f"the text has what the model has never seen: {shown}. To score it without that: --unknown skip"
                    )
                left_out.append(len(lacks))
                tokens = [token for token in tokens if token in vocabulary.ids]
            yield tokens, np.array([vocabulary.ids.get(token, vocabulary.unknown or 0) for token in tokens], np.int32)

    left_out: list[int] = []
    reading = _reading(pieces(), vocabulary, by_line)
    reading.unknown += sum(left_out)
    return reading


def _tokens(sources: Iterable[Source], vocabulary: Vocabulary, encoding: str) -> Iterator[list[str]]:
    if vocabulary.level == "byte":
        for source in sources:
            for data in byte_chunks(source):
                yield [f"{byte:02x}" for byte in data]
    elif vocabulary.level == "char":
        for source in sources:
            for text, _ in text_chunks(source, encoding):
                yield tokenizer_of(vocabulary).split(text)
    else:
        splitter = word_tokenizer(vocabulary.split_on, vocabulary.lowercase).splitter()
        for source in sources:
            for text, _ in text_chunks(source, encoding):
                yield splitter.add(text)
        yield splitter.end()


def _reading(pieces: Iterable[tuple[list[str], NDArray[np.integer]]], vocabulary: Vocabulary, by_line: bool) -> Reading:
    """Joins the tokens to count their characters, and to find the lines."""
    joiner = tokenizer_of(vocabulary).joiner()
    ends_line = line_end(vocabulary)
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
                if token == ends_line:
                    lines.append(_line(count, line))
                    line = []
        ids.append(piece.astype(np.int32))
        if vocabulary.unknown is not None:
            unknown += int(np.count_nonzero(piece == vocabulary.unknown))
    characters += len(rest := joiner.end())
    if by_line and (line or rest):
        lines.append(_line(count, [*line, rest]))
    if count < 2:
        raise TextError(f"the text has {count} tokens, and the first one is given: there is nothing to score.")
    return Reading(np.concatenate(ids), characters - first, unknown, lines)


def _line(end: int, texts: list[str]) -> Line:
    text = "".join(texts)
    return Line(end, len(text), text.rstrip("\n"))
