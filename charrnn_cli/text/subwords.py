"""Text to subwords: byte-pair encoding of words (Sennrich et al. 2016, arXiv 1508.07909).

A text is first divided into words, each with the space before it. A word starts as its characters. Then, again
and again, two neighbours that form a subword are merged; of several such pairs, the one that was learned first.
Every character is a token too, so the tokens of a text join to exactly that text.
"""

from collections.abc import Mapping
from itertools import pairwise

import regex

from charrnn_cli.text.vocabulary import END, EOD

LONGEST_WORD = 32  # characters; longer ones are cut, so that merging takes a bounded time
_SOME = f"{{1,{LONGEST_WORD}}}"
SPACED_WORDS = regex.compile(
    rf" ?[\p{{L}}\p{{M}}]{_SOME}| ?\p{{N}}{_SOME}| ?[^\0\p{{White_Space}}\p{{L}}\p{{M}}\p{{N}}]{_SOME}"
    rf"| {_SOME}(?= )|\t{_SOME}|\0|\p{{White_Space}}"
)  # letters, digits, or other marks, each with the space before them; white space; the end of a document
KNOWN_WORDS = 1 << 17  # whose subwords are remembered
OPEN_WORDS = 2  # at the end of a piece of text, which the next piece can change


class Subwords(dict[str, tuple[str, ...]]):
    """The subwords of words, computed when they are first asked for."""

    def __init__(self, ranks: Mapping[str, int]) -> None:
        """`ranks` numbers the subwords of two or more characters in the order in which they were learned."""
        self.ranks = ranks

    def __missing__(self, word: str) -> tuple[str, ...]:
        if len(self) >= KNOWN_WORDS:
            self.clear()
        self[word] = (EOD,) if word == END else merged(word, self.ranks)
        return self[word]

    def of(self, words: list[str]) -> list[str]:
        """The subwords of several words."""
        return [subword for word in words for subword in self[word]]


def merged(word: str, ranks: Mapping[str, int]) -> tuple[str, ...]:
    """The subwords of a word: its characters, merged in pairs, the pair of the lowest rank first."""
    parts = list(word)
    while len(parts) > 1:
        pairs = [one + other for one, other in pairwise(parts)]
        k = min(range(len(pairs)), key=lambda k: ranks.get(pairs[k], len(ranks)))
        if pairs[k] not in ranks:
            break
        parts[k : k + 2] = [pairs[k]]
    return tuple(parts)


class SubwordSplitter:
    """Splits one text into subwords, piece by piece."""

    def __init__(self, subwords: Subwords, lowercase: bool) -> None:
        self._subwords, self._lowercase = subwords, lowercase
        self._rest = ""

    def add(self, text: str) -> list[str]:
        """The tokens that are complete with `text`."""
        words = SPACED_WORDS.findall(self._rest + (text.lower() if self._lowercase else text))
        self._rest = "".join(words[-OPEN_WORDS:])
        return self._subwords.of(words[:-OPEN_WORDS])

    def end(self) -> list[str]:
        """The remaining tokens."""
        words, self._rest = SPACED_WORDS.findall(self._rest), ""
        return self._subwords.of(words)
