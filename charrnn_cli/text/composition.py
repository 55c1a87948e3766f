"""Composed and decomposed characters: a text in the form that a vocabulary knows.

Unicode writes many letters with accents in two ways: as one character (NFC), or as a letter and combining marks (NFD).
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import regex

from charrnn_cli.text.vocabulary import END, Vocabulary

CLUSTERS = regex.compile(r"\X")  # a letter with its combining marks, or a Hangul syllable
CLUSTER_LENGTH = 64  # characters; more are not looked at
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def with_known_characters(text: str, vocabulary: Vocabulary) -> str:
    """The text, with characters that a vocabulary of characters lacks in NFC or NFD if it knows them in that form."""
    if vocabulary.lowercase:
        text = text.lower()
    known = vocabulary.ids.keys() | {END}
    if known >= set(text):
        return text
    return "".join(_known_form(cluster, lambda form: known >= set(form)) for cluster in CLUSTERS.findall(text))


def chunks_with_known_characters(chunks: Iterable[str], vocabulary: Vocabulary) -> Iterator[str]:
    """Like `with_known_characters`, for a text in chunks, which may be cut between a letter and its marks."""
    text = ""
    for chunk in chunks:
        last = _last_cluster(text)
        if len(_first_cluster(last + chunk)) > len(last):
            text, chunk = text.removesuffix(last), last + chunk
        yield with_known_characters(text, vocabulary)
        text = chunk
    yield with_known_characters(text, vocabulary)


def with_known_words(words: list[str], vocabulary: Vocabulary) -> list[str]:
    """The words, with those that a vocabulary of words lacks in NFC or NFD if it knows them in that form."""
    if vocabulary.ids.keys() >= set(words):
        return words
    return [_known_form(word, vocabulary.ids.__contains__) for word in words]


def _known_form(text: str, is_known: Callable[[str], bool]) -> str:
    if is_known(text):
        return text
    forms = (unicodedata.normalize(form, text) for form in FORMS)
    return next((form for form in forms if is_known(form)), text)


def _first_cluster(text: str) -> str:
    """The first letter of a text with its combining marks."""
    return next(iter(CLUSTERS.findall(text[:CLUSTER_LENGTH])), "")


def _last_cluster(text: str) -> str:
    """The last letter of a text with its combining marks."""
    return next(reversed(CLUSTERS.findall(text[-CLUSTER_LENGTH:])), "")
