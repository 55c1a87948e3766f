"""Text to tokens and back: characters, bytes, words with punctuation tokens, words between white space, subwords."""

import codecs
from collections.abc import Mapping
from typing import Protocol

from charrnn_cli.config import Level, SplitOn
from charrnn_cli.text.subwords import Subwords, SubwordSplitter
from charrnn_cli.text.vocabulary import END, EOD, EOS, UNKNOWN, Vocabulary
from charrnn_cli.text.words import RETURN, WholeWords, WordTokenizer

TOKEN_UNITS: dict[Level, str] = {
    "char": "characters",
    "byte": "bytes",
    "word": "words",
    "subword": "subwords",
}  # the tokens of a level in words


class Joiner(Protocol):
    """Turns tokens into text, one at a time."""

    def add(self, token: str) -> str:
        """The text that is complete with `token`; may be empty."""

    def end(self) -> str:
        """The rest of the text, after the last token."""


class Tokenizer(Protocol):
    """Splits texts into tokens, and joins tokens to text."""

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The tokens of `text`. If it is `unfinished`, such as a prime, more text will follow it."""

    def joiner(self) -> Joiner:
        """A new joiner, for one text."""


class CharTokenizer:
    """A token is a character (a Unicode code point)."""

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        characters = list(text.lower() if self.lowercase else text)
        if END in text:
            return [EOD if character == END else character for character in characters]
        return characters

    def joiner(self) -> "CharJoiner":
        return CharJoiner()


class CharJoiner:
    """Characters and subwords to text."""

    def add(self, token: str) -> str:
        """The token itself; the replacement character for <unk>, nothing for <eod>."""
        if token == EOD:
            return ""
        return "\N{REPLACEMENT CHARACTER}" if token == UNKNOWN else token

    def end(self) -> str:
        return ""


class ByteTokenizer:
    """A token is a byte of the UTF-8 text, written as two hexadecimal digits."""

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The bytes of `text`. A lone surrogate that stands for a raw byte of an argument becomes that byte again."""
        return [f"{byte:02x}" for byte in text.encode("utf-8", "surrogateescape")]

    def joiner(self) -> "ByteJoiner":
        return ByteJoiner()


class ByteJoiner:
    """Bytes to text. A character appears with its last byte; invalid UTF-8 becomes replacement characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: str) -> str:
        return self._decoder.decode(bytes.fromhex(token))

    def end(self) -> str:
        """A replacement character if the last character is not complete."""
        return self._decoder.decode(b"", final=True)


class SubwordTokenizer:
    """A token is a character, or a frequent part of a word with the space before it."""

    def __init__(self, ranks: Mapping[str, int], lowercase: bool = False) -> None:
        """`ranks` is that of `Subwords`, and may have more tokens, such as the ids of a vocabulary."""
        self.lowercase = lowercase
        self._subwords = Subwords(ranks)

    def splitter(self) -> SubwordSplitter:
        """A new splitter, for one text."""
        return SubwordSplitter(self._subwords, self.lowercase)

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The tokens of `text`. A space at the end of an `unfinished` text belongs to the word that will follow."""
        splitter = self.splitter()
        return splitter.add(text.removesuffix(" ") if unfinished else text) + splitter.end()

    def joiner(self) -> CharJoiner:
        return CharJoiner()


class WhitespaceTokenizer:
    """A token is what stands between white space, for text that is already tokenized; a line ends with `<eos>`.

    Joining gives one space between tokens. An `<eos>` in the text itself ends a line like any other.
    """

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def splitter(self) -> "WhitespaceSplitter":
        """A new splitter, for one text."""
        return WhitespaceSplitter(self.lowercase)

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The tokens of `text`. The last line of an `unfinished` text does not end."""
        splitter = self.splitter()
        return splitter.add(text) + splitter.end(unfinished)

    def joiner(self) -> "WhitespaceJoiner":
        return WhitespaceJoiner()


class WhitespaceSplitter:
    """Splits one text at white space, piece by piece."""

    def __init__(self, lowercase: bool) -> None:
        self.marks: dict[str, str] = {}  # empty: every token is its own text
        self.lengths: list[int] = []  # characters of each token, with the space before it
        self._lowercase = lowercase
        self._words = WholeWords()
        self._in_line = False

    def add(self, text: str) -> list[str]:
        """The tokens that are complete with `text`."""
        return self._split(self._words.add(text))

    def end(self, unfinished: bool = False) -> list[str]:
        """The remaining tokens. The last line ends here, unless the text is `unfinished`."""
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
            if token == EOS:
                length = 1
            elif token == EOD:
                length = 0
            else:
                length = len(token) + in_line  # with a space before it, except at the start of a line
            self.lengths.append(length)
            in_line = token not in (EOS, EOD)


class WhitespaceJoiner:
    """Joins tokens with one space, and lines with a line break."""

    def __init__(self) -> None:
        self._space = ""

    def add(self, token: str) -> str:
        """The token with the space before it; a line break for `<eos>`, nothing for `<eod>`."""
        space = self._space
        self._space = "" if token in (EOS, EOD) else " "
        if token == EOS:
            return "\n"
        return "" if token == EOD else space + token

    def end(self) -> str:
        return ""


def tokenizer_of(vocabulary: Vocabulary, marks: Mapping[str, str] | None = None) -> Tokenizer:
    """The tokenizer that gives the tokens of a vocabulary.

    `marks` maps punctuation tokens to their text, and may have more of them than the vocabulary.
    """
    match vocabulary.level:
        case "char":
            return CharTokenizer(vocabulary.lowercase)
        case "byte":
            return ByteTokenizer()
        case "subword":
            return SubwordTokenizer(vocabulary.ids, vocabulary.lowercase)
    return word_tokenizer(vocabulary.split_on, vocabulary.lowercase, vocabulary.marks if marks is None else marks)


def word_tokenizer(
    split_on: SplitOn, lowercase: bool, marks: Mapping[str, str] | None = None
) -> WordTokenizer | WhitespaceTokenizer:
    """The tokenizer of level "word", which can also split a text piece by piece."""
    return WhitespaceTokenizer(lowercase) if split_on == "whitespace" else WordTokenizer(lowercase, marks)


def is_space(token: str, level: Level) -> bool:
    """Whether a token is white space between words; at level "byte" only that of ASCII is, as it is one byte."""
    if level == "byte":
        return bytes.fromhex(token).isspace()
    return level in ("char", "subword") and token.isspace()


def ends_word(token: str, level: Level) -> bool:
    """Whether the word before a token has ended: the token is white space, or a subword that begins with it."""
    return is_space(token, level) or (level == "subword" and token[:1].isspace())


def line_end(vocabulary: Vocabulary) -> str:
    """The token that ends a line. The vocabulary may not have it."""
    if vocabulary.level == "word":
        return EOS if vocabulary.split_on == "whitespace" else RETURN
    return "0a" if vocabulary.level == "byte" else "\n"
