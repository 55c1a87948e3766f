"""What a cell may track: one entry in `HYPOTHESES` for each, a number for every character of a text.

A number describes the text just after that character was read. N characters.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]  # (N,)
_Mask = NDArray[np.bool_]  # (N,)

CLOSERS = {'"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb", "\u00bb": "\u00ab"}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
QUOTE_OR_BREAK = re.compile('["\u201c\u201d\u201e\u00ab\u00bb]|\n[ \t]*\n')
BRACKET = re.compile(r"[()\[\]{}]")
SPEAKER = re.compile(r"^(?:[A-Z][A-Za-z'. -]{0,40}:[ \t]*$|[A-Z][A-Z'. -]{1,40}:)", re.MULTILINE)
FIRST_WORD = re.compile(r"(?:\A|[.!?][\"'\u201d\u2019\u00bb)\]]*\s+|\n[ \t]*\n\s*)[\"'\u201c\u2018\u00ab(\[_]*(\w+)")
FIRST_LINE = re.compile(r"(?:\A|(?<=\n\n))[^\n]+")
LEADING = re.compile(r"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class Hypothesis:
    """Something that a cell may track."""

    name: str  # to choose it
    title: str
    measure: Callable[[str], Numbers]
    numeric: bool = False  # a number instead of true (1) or false (0)
    for_words: bool = True  # whether it makes sense if the tokens are words


def inside_quotes(text: str) -> Numbers:
    """Whether a quotation is open. It ends at its closing mark, or where the paragraph ends."""
    spans, closer, start = [], "", 0
    for match in QUOTE_OR_BREAK.finditer(text):
        mark, at = match[0], match.start()
        if not closer:
            closer, start = CLOSERS.get(mark, ""), at
        elif mark == closer or mark[0] == "\n":
            spans.append((start, at))
            closer = ""
    return _inside(len(text), [*spans, (start, len(text))] if closer else spans)


def inside_brackets(text: str) -> Numbers:
    """Whether a bracket is open that is closed later."""
    spans, open_brackets = [], []
    for match in BRACKET.finditer(text):
        if match[0] in BRACKETS:
            open_brackets.append(match)
        elif open_brackets and BRACKETS[open_brackets[-1][0]] == match[0]:
            spans.append((open_brackets.pop().start(), match.start()))
    return _inside(len(text), spans)


def line_position(text: str) -> Numbers:
    """The characters of the line so far."""
    return _since(_characters_that(text, "\n".__eq__))


def line_left(text: str) -> Numbers:
    """The characters until the line ends."""
    return _until(_characters_that(text, "\n".__eq__))


def word_position(text: str) -> Numbers:
    """The letters of the word so far; 0 outside words."""
    return _since(~_characters_that(text, str.isalpha))


def word_left(text: str) -> Numbers:
    """The letters until the word ends; 0 outside words."""
    return _until(~_characters_that(text, str.isalpha)) - _characters_that(text, str.isalpha)


def after_newline(text: str) -> Numbers:
    return _characters_that(text, "\n".__eq__).astype(np.float32)


def speaker_line(text: str) -> Numbers:
    """Whether the character is in the name of a speaker in a play, such as "ROMEO:" at the start of a line."""
    return _inside(len(text), (match.span() for match in SPEAKER.finditer(text)))


def capitals(text: str) -> Numbers:
    """Whether the character is one of several capitals in a row."""
    upper = np.pad(_characters_that(text, str.isupper), 1)
    return (upper[1:-1] & (upper[:-2] | upper[2:])).astype(np.float32)


def digits(text: str) -> Numbers:
    return _characters_that(text, str.isdigit).astype(np.float32)


def first_words(text: str) -> Numbers:
    """Whether the character is in the first word of a sentence."""
    return _inside(len(text), (match.span(1) for match in FIRST_WORD.finditer(text)))


def first_lines(text: str) -> Numbers:
    """Whether the character is in the first line after an empty line."""
    return _inside(len(text), (match.span() for match in FIRST_LINE.finditer(text)))


def indentation(text: str) -> Numbers:
    """The spaces and tabs at the start of the line."""
    leading = np.cumsum(_inside(len(text), (match.span() for match in LEADING.finditer(text))))
    before_line = np.maximum.accumulate(np.where(_characters_that(text, "\n".__eq__), leading, 0))
    at_newline = _characters_that(text, "\n".__eq__)
    return np.where(at_newline, 0, leading - before_line).astype(np.float32)


def letters(text: str) -> Numbers:
    return _characters_that(text, str.isalpha).astype(np.float32)


HYPOTHESES = (
    Hypothesis("quotes", "inside quotes", inside_quotes),
    Hypothesis("brackets", "inside brackets", inside_brackets),
    Hypothesis("line-position", "characters of the line so far", line_position, numeric=True),
    Hypothesis("line-left", "characters left in the line", line_left, numeric=True),
    Hypothesis("word-position", "letters of the word so far", word_position, numeric=True, for_words=False),
    Hypothesis("word-left", "letters left in the word", word_left, numeric=True, for_words=False),
    Hypothesis("newline", "just after a line break", after_newline),
    Hypothesis("speaker", "in the name of a speaker", speaker_line),
    Hypothesis("capitals", "in a run of capitals", capitals),
    Hypothesis("digits", "digits", digits),
    Hypothesis("sentence", "first word of a sentence", first_words),
    Hypothesis("paragraph", "first line of a paragraph", first_lines),
    Hypothesis("indentation", "indentation of the line", indentation, numeric=True),
    Hypothesis("letters", "letters", letters, for_words=False),
)


def _characters_that(text: str, test: Callable[[str], bool]) -> _Mask:
    """Where the characters are that pass a test."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    distinct, places = np.unique(codes, return_inverse=True)
    passed: _Mask = np.array([test(chr(code)) for code in distinct.tolist()], bool)[places]
    return passed


def _inside(length: int, spans: Iterable[tuple[int, int]]) -> Numbers:
    """1 from the start of each span up to its end, which is not included; 0 elsewhere."""
    bounds = np.fromiter(chain.from_iterable(spans), np.int64).reshape(-1, 2)
    steps = np.bincount(bounds[:, 0], minlength=length + 1) - np.bincount(bounds[:, 1], minlength=length + 1)
    return (np.cumsum(steps[:length]) > 0).astype(np.float32)


def _since(marks: _Mask) -> Numbers:
    """The number of characters since the last mark, with this one; 0 at a mark."""
    places = np.arange(len(marks))
    return (places - np.maximum.accumulate(np.where(marks, places, -1))).astype(np.float32)


def _until(marks: _Mask) -> Numbers:
    """The number of characters until the next mark, with this one; 0 at a mark."""
    return _since(marks[::-1])[::-1]
