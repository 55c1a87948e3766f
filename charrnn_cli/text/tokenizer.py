"""Text to tokens and back without loss: characters and bytes."""

import codecs
from typing import Protocol

from charrnn_cli.config import Level
from charrnn_cli.text.vocabulary import UNKNOWN

UNITS: dict[Level, str] = {"char": "characters", "byte": "bytes"}  # what a person calls the tokens of a level


class Joiner(Protocol):
    """Turns tokens into text as they come."""

    def add(self, token: str) -> str:
        """The text that `token` completes; may be empty."""

    def end(self) -> str:
        """What is left when no token follows."""


class Tokenizer(Protocol):
    """Splits a text into tokens, and joins tokens to a text."""

    def split(self, text: str) -> list[str]:
        """The tokens of `text`."""

    def joiner(self) -> Joiner:
        """A new joiner, for one text."""


class CharTokenizer:
    """A token is a character (a Unicode code point)."""

    def split(self, text: str) -> list[str]:
        """The characters of `text`."""
        return list(text)

    def joiner(self) -> "CharJoiner":
        """A new joiner, for one text."""
        return CharJoiner()


class CharJoiner:
    """Characters to text."""

    def add(self, token: str) -> str:
        """The character itself; the replacement character where it stands for unknown ones."""
        return "\N{REPLACEMENT CHARACTER}" if token == UNKNOWN else token

    def end(self) -> str:
        """Nothing: characters are whole."""
        return ""


class ByteTokenizer:
    """A token is a byte of the UTF-8 text, written as two hexadecimal digits."""

    def split(self, text: str) -> list[str]:
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


def tokenizer(level: Level) -> Tokenizer:
    """The tokenizer of a level."""
    return ByteTokenizer() if level == "byte" else CharTokenizer()
