"""How unexpected each word of a text is, for models of characters, bytes, words and subwords.

A word is a run of text without white space. Its surprisal is the sum of the surprisals of its tokens, plus that of its
end: the event that any white space follows. Without the end, it would be the surprisal of all words that begin with it,
such as "fell", "fellow" and "felled".

So the space counts as part of the word before it, not of the one after it. But the first subword of a word contains the
space before it. The surprisal of this space is therefore subtracted from that word and added to the word before it.
These papers give the reasons:

- Oh and Schuler, Leading Whitespaces of Language Models' Subword Vocabulary Pose a Confound for Calculating Word
  Probabilities, EMNLP 2024, arXiv 2406.10851.
- Pimentel and Meister, How to Compute the Probability of a Word, EMNLP 2024, arXiv 2406.14561.

Which white space follows, and how much of it, is layout and belongs to no word. At the end of a document white space is
expected as anywhere else, so that the last word has an end too. The tokens of a model of words contain their end.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from charrnn_cli.generation.surprisal import SurprisalStep, TokenSurprisal
from charrnn_cli.text.tokenizer import is_space, tokenizer_of
from charrnn_cli.text.vocabulary import EOD, Vocabulary


class WordSurprisal(NamedTuple):
    """A word, and how unexpected it was."""

    line: int  # from 1
    position: int  # of the word in its line, from 1
    word: str
    surprisal: float  # of its tokens and its end, in bits
    entropy: float  # of the prediction of its first token, in bits
    rank: int  # the highest rank of its tokens; 1: no token was likelier anywhere in it
    unknown: bool  # whether the model read <unk> in the place of any of its tokens


def word_surprisals(
    text: Iterable[SurprisalStep], vocabulary: Vocabulary, marks: Mapping[str, str]
) -> Iterator[WordSurprisal]:
    """The words of a text. `marks` maps punctuation tokens to their text; it may grow while the text is read."""
    line = position = 0
    for tokens, word, space, end in _words(text, vocabulary, marks):
        first = tokens[0]
        line, position = first.line, position + 1 if first.line == line else 1
        surprisal = sum(token.surprisal for token in tokens) - space + end
        rank = max(token.rank for token in tokens)
        unknown = any(token.unknown for token in tokens)
        yield WordSurprisal(line, position, word, surprisal, first.entropy, rank, unknown)


def _words(
    text: Iterable[SurprisalStep], vocabulary: Vocabulary, marks: Mapping[str, str]
) -> Iterator[tuple[list[TokenSurprisal], str, float, float]]:
    """The tokens of each word, the word, and the surprisals of the space in its first token and of its end."""
    new_joiner = tokenizer_of(vocabulary, marks).joiner
    joiner, tokens, word, space = new_joiner(), list[TokenSurprisal](), "", 0.0
    for token, end in text:
        piece = joiner.end() if token is None else joiner.add(token.token)
        ends_word = token is None or _is_space(token.token, piece, vocabulary)
        if ends_word or piece.startswith(" "):
            if tokens:
                yield tokens, word + (piece.strip() if ends_word else ""), space, end
            tokens, word, space = [], "", 0.0 if ends_word else end
        if token is None:
            joiner = new_joiner()
        elif not ends_word:
            tokens.append(token)
            word += piece.removeprefix(" ")


def _is_space(token: str, text: str, vocabulary: Vocabulary) -> bool:
    """Whether a token only separates words; `text` is what it stands for."""
    return token == EOD or is_space(token, vocabulary.level) or (vocabulary.level == "word" and text.isspace())
