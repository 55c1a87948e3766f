"""The known tokens that are most similar to a character or word that a model does not know."""

import difflib
import unicodedata
from functools import lru_cache

from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

MIN_LETTERS = 4  # shorter words are not compared by their spelling
MIN_SIMILARITY = 0.75  # of the spellings of two words, by difflib


def closest_known(text: str, vocabulary: Vocabulary) -> list[str]:
    """The known tokens that can replace an unknown character or word; none if nothing is similar.

    These are the same text without accents and typographic forms, in Latin letters, or in another case. If there
    are none for a word, it is the word with the most similar spelling.
    """
    plain = _in_ascii(text)
    if vocabulary.level == "byte" or not plain:
        return []
    known_by_plain = _known_by_plain(vocabulary.tokens, tuple(vocabulary.marks.items()))
    for spelling in (plain, plain.lower(), plain.capitalize(), plain.upper()):
        tokens = tokenizer_of(vocabulary).split(spelling, unfinished=True)
        if vocabulary.ids.keys() >= set(tokens):
            return tokens
        if spelling in known_by_plain:
            return [known_by_plain[spelling]]
    if vocabulary.level != "word" or not text.isalpha() or len(text) < MIN_LETTERS:
        return []
    return difflib.get_close_matches(text, vocabulary.tokens, 1, MIN_SIMILARITY)


def _in_ascii(text: str) -> str:
    """The text in ASCII as far as possible: without accents, with straight quotes; empty if it has a symbol."""
    from anyascii import anyascii

    stripped = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    if any(unicodedata.category(c) == "So" for c in stripped):
        return ""
    return str(anyascii(stripped.replace("\N{EM DASH}", "--")))


@lru_cache(maxsize=1)
def _known_by_plain(tokens: tuple[str, ...], marks: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The known tokens that are not ASCII, by their text in ASCII; of several, the first token."""
    texts = dict(marks)
    written = {token: texts.get(token, token) for token in reversed(tokens)}
    return {plain: token for token, text in written.items() if not text.isascii() and (plain := _in_ascii(text))}
