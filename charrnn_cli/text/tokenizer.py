"""Text to tokens and back: characters, bytes, words with punctuation tokens, and words between white space."""

import codecs
from collections.abc import Mapping
from typing import Protocol

from charrnn_cli.config import Level, SplitOn
from charrnn_cli.text.vocabulary import END, EOD, EOS, UNKNOWN, Vocabulary
from charrnn_cli.text.words import RETURN, WholeWords, WordTokenizer

UNITS: dict[Level, str] = {"char": "characters", "byte": "bytes", "word": "words"}  # what a person calls the tokens


class Joiner(Protocol):
    """Turns tokens into text as they come."""

    def add(self, token: str) -> str:
        """The text that `token` completes; may be empty."""

    def end(self) -> str:
        """What is left when no token follows."""


class Tokenizer(Protocol):
    """Splits a text into tokens, and joins tokens to a text."""

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The tokens of `text`; of an `unfinished` one, such as a prime, those before what will follow."""

    def joiner(self) -> Joiner:
        """A new joiner, for one text."""


class CharTokenizer:
    """A token is a character (a Unicode code point)."""

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The characters of `text`."""
        return list(text.lower() if self.lowercase else text)

    def joiner(self) -> "CharJoiner":
        """A new joiner, for one text."""
        return CharJoiner()


class CharJoiner:
    """Characters to text."""

    def add(self, token: str) -> str:
        """The character itself; the replacement character for unknown ones, nothing for the end of a document."""
        if token == EOD:
            return ""
        return "\N{REPLACEMENT CHARACTER}" if token == UNKNOWN else token

    def end(self) -> str:
        """Nothing: characters are whole."""
        return ""


class ByteTokenizer:
    """A token is a byte of the UTF-8 text, written as two hexadecimal digits."""

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The bytes of `text`; lone surrogates that stand for raw bytes of an argument become those again."""
        return [f"{byte:02x}" for byte in text.encode("utf-8", "surrogateescape")]

    def joiner(self) -> "ByteJoiner":
        """A new joiner, for one text."""
        return ByteJoiner()


class ByteJoiner:
    """Bytes to text: a character comes out with its last byte, bytes that are no UTF-8 as replacement characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: str) -> str:
        """The characters that the byte completes."""
        return self._decoder.decode(bytes.fromhex(token))

    def end(self) -> str:
        """A replacement character where the last character is not complete."""
        return self._decoder.decode(b"", final=True)


class WhitespaceTokenizer:
    """A token is what stands between white space, for text that is tokenised already; a line ends with `<eos>`.

    Runs of white space are not kept, and an `<eos>` that the text has already is a line's end like any other.
    """

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def splitter(self) -> "WhitespaceSplitter":
        """A new splitter, for one text."""
        return WhitespaceSplitter(self.lowercase)

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The tokens of `text`; the last line of an `unfinished` one goes on."""
        splitter = self.splitter()
        return splitter.add(text) + splitter.end(unfinished)

    def joiner(self) -> "WhitespaceJoiner":
        """A new joiner, for one text."""
        return WhitespaceJoiner()


class WhitespaceSplitter:
    """One text to what stands between its white space, piece by piece."""

    def __init__(self, lowercase: bool) -> None:
        self.marks: dict[str, str] = {}  # every token is its own text
        self.lengths: list[int] = []  # characters of each token, with the space before it
        self._lowercase = lowercase
        self._words = WholeWords()
        self._in_line = False

    def add(self, text: str) -> list[str]:
        """The tokens that are sure once `text` is there."""
        return self._split(self._words.add(text))

    def end(self, unfinished: bool = False) -> list[str]:
        """The tokens that are left; the last line ends here unless the text is `unfinished`."""
        tokens = self._split(self._words.end())
        if self._in_line and not unfinished:
            tokens.append(EOS)
            self.lengths.append(1)
        self._in_line = False
        return tokens

    def _split(self, text: str) -> list[str]:
        text = text.lower() if self._lowercase else text
        tokens = text.replace("\n", f" {EOS} ").replace(END, f" {EOD} ").split()
        if tokens:
            self._note_lengths(tokens)
            self._in_line = tokens[-1] not in (EOS, EOD)
        return tokens

    def _note_lengths(self, tokens: list[str]) -> None:
        in_line = self._in_line
        for token in tokens:
            ends = token in (EOS, EOD)
            self.lengths.append(int(token == EOS) if ends else len(token) + in_line)
            in_line = not ends


class WhitespaceJoiner:
    """Tokens to lines, one space between two."""

    def __init__(self) -> None:
        self._space = ""

    def add(self, token: str) -> str:
        """The token with the space before it; a line break for `<eos>`, nothing for `<eod>`."""
        space, self._space = self._space, "" if token in (EOS, EOD) else " "
        return {EOS: "\n", EOD: ""}.get(token, space + token)

    def end(self) -> str:
        """Nothing: tokens are whole."""
        return ""


def tokenizer(
    level: Level, split_on: SplitOn = "punctuation", lowercase: bool = False, marks: Mapping[str, str] | None = None
) -> Tokenizer:
    """The tokenizer of a level; `marks` says what the punctuation tokens of a vocabulary stand for."""
    if level == "byte":
        return ByteTokenizer()
    return CharTokenizer(lowercase) if level == "char" else word_tokenizer(split_on, lowercase, marks)


def tokenizer_of(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer whose tokens are those of a vocabulary."""
    return tokenizer(vocabulary.level, vocabulary.split_on, vocabulary.lowercase, vocabulary.marks)


def line_end(vocabulary: Vocabulary) -> str:
    """The token that ends a line; the vocabulary may lack it."""
    if vocabulary.level == "word":
        return EOS if vocabulary.split_on == "whitespace" else RETURN
    return "0a" if vocabulary.level == "byte" else "\n"


def word_tokenizer(
    split_on: SplitOn, lowercase: bool, marks: Mapping[str, str] | None = None
) -> WordTokenizer | WhitespaceTokenizer:
    """The tokenizer of level "word", whose splitters take a text piece by piece."""
    return WhitespaceTokenizer(lowercase) if split_on == "whitespace" else WordTokenizer(lowercase, marks)
