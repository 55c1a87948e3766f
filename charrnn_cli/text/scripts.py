"""Scripts that are written without spaces between words."""

from collections.abc import Mapping

import regex

UNSPACED_LETTERS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def unspaced_share(counts: Mapping[str, int]) -> float:
    """The share of the characters of words, given with their counts, that belong to such scripts."""
    characters = unspaced = 0
    for word, count in counts.items():
        characters += count * len(word)
        if not word.isascii():
            unspaced += count * len(UNSPACED_LETTERS.findall(word))
    return unspaced / max(characters, 1)
