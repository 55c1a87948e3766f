"""What a model goes on from: a text in its tokens, and what to do with what it has never seen."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from charrnn_cli.config import Unknown
from charrnn_cli.errors import UsageError
from charrnn_cli.text.tokenizer import line_end, tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.text.words import is_gap, mark

SHOWN = 5  # unknown tokens that a message names
LONG = 4  # letters of a word whose spelling says something
ALIKE = 0.75  # share of two words that is the same, at least, for one to stand for the other
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.?))", re.S)


def read_prime(text: str, vocabulary: Vocabulary, unknown: Unknown = "error") -> list[int]:
    """The ids of a prime. Raises UsageError that names what the vocabulary lacks, unless that is skipped or replaced.

    At level "word" its last word is whole, and spaces after it belong to what will be written.
    """
    if vocabulary.level != "byte":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    tokens = tokenizer_of(vocabulary).split(text, unfinished=True)
    if vocabulary.level == "word":  # unusual spaces that the model does not know are the usual ones to it
        tokens = [token for token in tokens if token in vocabulary.ids or not is_gap(token)]
    lacks = vocabulary.lacks(tokens)
    written = {name: char for char in set(text) if (name := mark(char))} if vocabulary.level == "word" else {}
    if lacks and unknown == "replace":
        lost = dict.fromkeys(tokens[at] for at in lacks)
        near = {token: nearest(written.get(token, token), vocabulary) for token in lost}
        if vocabulary.unknown is not None:
            near = {token: found or [vocabulary.tokens[vocabulary.unknown]] for token, found in near.items()}
        tokens = [known for token in tokens for known in near.get(token) or [token]]
        lacks = vocabulary.lacks(tokens)
    if lacks and unknown != "skip":
        shown = [(at, written.get(tokens[at], tokens[at])) for at in lacks[:SHOWN]]
        raise UsageError(_message(shown, len(lacks), vocabulary, unknown))
    return vocabulary.encode(token for token in tokens if token in vocabulary.ids)


def first_token(vocabulary: Vocabulary) -> int:
    """What stands before a text that has no prime: the end of another document, or a line break, where it knows one."""
    if vocabulary.end is not None:
        return vocabulary.end
    return vocabulary.ids.get(line_end(vocabulary), len(vocabulary) - 1)


def nearest(text: str, vocabulary: Vocabulary) -> list[str]:
    """The known tokens that stand best for a character or a word that is not known; none where nothing is like it.

    The same without accents and typographic forms, in Latin letters, or in the other case; a word otherwise the one
    that is spelled most alike.
    """
    plain = _plain(text)
    if vocabulary.level == "byte" or not plain:
        return []
    by_plain, tokenizer = _by_plain(vocabulary.tokens, tuple(vocabulary.marks.items())), tokenizer_of(vocabulary)
    for spelling in (plain, plain.lower(), plain.capitalize(), plain.upper()):
        tokens = tokenizer.split(spelling, unfinished=True)
        if vocabulary.ids.keys() >= set(tokens):
            return tokens
        if spelling in by_plain:
            return [by_plain[spelling]]
    if vocabulary.level == "char" or not text.isalpha() or len(text) < LONG:
        return []
    return difflib.get_close_matches(text, vocabulary.tokens, 1, ALIKE)


def unescape(flag: str, text: str) -> str:
    r"""The text with \n, \t, \r, \\, \", \', \xHH, \uHHHH and \UHHHHHHHH for what they stand. Raises UsageError."""

    def meant(match: re.Match[str]) -> str:
        code, letter = match[1] or match[2] or match[3], match[4]
        if code and int(code, 16) < 0x110000:
            return chr(int(code, 16))
        if letter not in ESCAPES:
            known = "\\n \\t \\r \\\\ \\\" \\' \\xHH \\uHHHH \\UHHHHHHHH"
            raise UsageError(f"{flag} {text!r}: {match[0]} is no escape. Known are {known}.")
        return ESCAPES[letter]

    return ESCAPE.sub(meant, text)


def _plain(text: str) -> str:
    """The text in ASCII as far as that goes: without accents, with straight quotes; nothing where that is a symbol."""
    from anyascii import anyascii

    stripped = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    if any(unicodedata.category(c) == "So" for c in stripped):
        return ""
    return str(anyascii(stripped.replace("\N{EM DASH}", "--")))


@lru_cache(maxsize=1)
def _by_plain(tokens: tuple[str, ...], marks: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Known tokens by how they look in ASCII, where they are not that."""
    texts = dict(marks)
    written = {token: texts.get(token, token) for token in reversed(tokens)}
    return {plain: token for token, text in written.items() if not text.isascii() and (plain := _plain(text))}


def _message(shown: list[tuple[int, str]], count: int, vocabulary: Vocabulary, unknown: Unknown) -> str:
    """What is unknown and where it stands, what is nearest, and what to type."""

    def named(at: int, text: str) -> str:
        near = nearest(text, vocabulary) if unknown == "error" else []
        known = ("" if vocabulary.level == "char" else " ").join(vocabulary.marks.get(token, token) for token in near)
        return f"{text!r} at position {at + 1}" + (f" (nearest known: {known!r})" if near else "")

    all_named = ", ".join(named(at, text) for at, text in shown)
    all_named += f" and {count - len(shown)} more" if count > len(shown) else ""
    if unknown == "replace":
        return f"nothing that the model knows is like {all_named}. Write it otherwise, or leave it out: --unknown skip"
    return (
        f"the prime has what the model has never seen: {all_named}. Write it otherwise, or take the nearest: "
        "--unknown replace, or leave it out: --unknown skip"
    )


def texts_of(flag: str, texts: Iterable[str], escapes: bool) -> tuple[str, ...]:
    """The texts of a flag that can be given several times, with their escapes read where that is asked for."""
    return tuple(unescape(flag, text) if escapes else text for text in texts)
