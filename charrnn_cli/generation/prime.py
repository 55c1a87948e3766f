"""A prime as token ids, and what to do with tokens that the model does not know."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from charrnn_cli.config import Unknown
from charrnn_cli.errors import UsageError
from charrnn_cli.text.closest import closest_known
from charrnn_cli.text.composition import with_known_characters, with_known_words
from charrnn_cli.text.tokenizer import line_end, tokenizer_of
from charrnn_cli.text.vocabulary import END, EOD, Vocabulary
from charrnn_cli.text.words import is_gap, mark

NAMED_UNKNOWN = 5  # number of unknown tokens that an error names


class UnknownTokensError(UsageError):
    """A prime has tokens that the model does not know. `fact` says which, without advice."""

    def __init__(self, fact: str, advice: str) -> None:
        super().__init__(f"{fact} {advice}")
        self.fact = fact


class EncodedPrime(NamedTuple):
    """A prime as ids."""

    ids: list[int]
    unknown: tuple[str, ...] = ()  # the characters or words that <unk> stands for, in their order


def encode_prime(text: str, vocabulary: Vocabulary, unknown: Unknown = "error", before: str = "") -> EncodedPrime:
    """The ids of a prime, which is `before` and then `text`.

    At level "word" the last word of a prime is a whole word, and spaces after it are ignored. At level "subword" one
    space at its end is ignored, because the next token begins with it. Raises UnknownTokensError if the vocabulary does
    not have all tokens, unless `unknown` says to skip or replace them. Positions in the error count from the start of
    `text`, in tokens, or in characters at level "subword".
    """
    tokens = _tokens(before + text, vocabulary)
    spelled = _spellings(before + text, vocabulary)
    unknown_words: tuple[str, ...] = ()
    if unknown == "replace" and vocabulary.lacks(tokens):
        replacements = _replacements(tokens, spelled, vocabulary)
        unknown_words = _unknown_words(tokens, replacements, spelled, vocabulary)
        tokens = [known for token in tokens for known in replacements.get(token, [token])]
    lacking = vocabulary.lacks(tokens)
    if lacking and unknown != "skip":
        positions = _positions(tokens, vocabulary)
        skipped = len(before) if vocabulary.level == "subword" else len(_tokens(before, vocabulary))
        named = [(max(positions[k] - skipped, 0), spelled.get(tokens[k], tokens[k])) for k in lacking]
        raise _error(named, vocabulary, unknown)
    return EncodedPrime(vocabulary.encode(token for token in tokens if token in vocabulary.ids), unknown_words)


def prime_text(prime: EncodedPrime, vocabulary: Vocabulary, finished: bool = False) -> str:
    """The text of a prime, with the words that <unk> stands for.

    If nothing follows the prime, it is `finished`: then a character whose last bytes are missing is shown too.
    """
    joiner = tokenizer_of(vocabulary).joiner()
    words = iter(prime.unknown)
    tokens = (
        next(words, token) if id == vocabulary.unknown else token
        for id, token in zip(prime.ids, vocabulary.decode(prime.ids), strict=True)
    )
    return "".join(map(joiner.add, tokens)) + (joiner.end() if finished else "")


def first_token(vocabulary: Vocabulary) -> int:
    """The token that a model reads before a text without a prime.

    It is the end of another document or a line break; if the model knows neither, its last token.
    """
    if vocabulary.end is not None:
        return vocabulary.end
    return vocabulary.ids.get(line_end(vocabulary), len(vocabulary) - 1)


def _tokens(text: str, vocabulary: Vocabulary) -> list[str]:
    """The tokens of a prime; those that only stand for unusual spaces are left out if the model does not know them."""
    if vocabulary.level != "byte":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if vocabulary.level in ("char", "subword"):
        text = with_known_characters(text, vocabulary)
    tokens = tokenizer_of(vocabulary).split(text, unfinished=True)
    if vocabulary.level == "char" and vocabulary.end is not None:
        tokens = [EOD if token == END else token for token in tokens]
    if vocabulary.level == "word":
        tokens = with_known_words(tokens, vocabulary)
        tokens = [token for token in tokens if token in vocabulary.ids or not is_gap(token)]
    return tokens


def _positions(tokens: list[str], vocabulary: Vocabulary) -> Sequence[int]:
    """Where each token starts, in tokens, or in characters at level "subword"."""
    if vocabulary.level != "subword":
        return range(len(tokens))
    return list(accumulate((1 if token == EOD else len(token) for token in tokens), initial=0))


def _spellings(text: str, vocabulary: Vocabulary) -> dict[str, str]:
    """The text that punctuation tokens stand for."""
    if vocabulary.level != "word":
        return {}
    return {name: character for character in set(text) if (name := mark(character))}


def _replacements(tokens: list[str], spelled: dict[str, str], vocabulary: Vocabulary) -> dict[str, list[str]]:
    """For each unknown token the closest known ones, or <unk>; the token itself if there are none."""
    closest: dict[str, list[str]] = {}
    for token in dict.fromkeys(tokens[position] for position in vocabulary.lacks(tokens)):
        closest[token] = closest_known(spelled.get(token, token), vocabulary)
        if not closest[token]:
            closest[token] = [token] if vocabulary.unknown is None else [vocabulary.tokens[vocabulary.unknown]]
    return closest


def _unknown_words(
    tokens: list[str], replacements: dict[str, list[str]], spelled: dict[str, str], vocabulary: Vocabulary
) -> tuple[str, ...]:
    """The texts of the tokens that become <unk>."""
    if vocabulary.unknown is None:
        return ()
    unknown = vocabulary.tokens[vocabulary.unknown]
    return tuple(spelled.get(token, token) for token in tokens if unknown in replacements.get(token, [token]))


def _error(lacking: list[tuple[int, str]], vocabulary: Vocabulary, unknown: Unknown) -> UnknownTokensError:
    """The error about unknown tokens, given with their positions."""
    more = f" and {len(lacking) - NAMED_UNKNOWN} more" if len(lacking) > NAMED_UNKNOWN else ""
    skip = "`unknown=skip` to leave out what the model does not know."
    if unknown == "replace":
        listed = ", ".join(_at_position(position, text) for position, text in lacking[:NAMED_UNKNOWN])
        return UnknownTokensError(
            f"the model knows nothing similar to {listed}{more}.", f"Change the text, or pass {skip}"
        )
    closest = {text: _closest_text(text, vocabulary) for _, text in lacking[:NAMED_UNKNOWN]}
    listed = ", ".join(
        _at_position(position, text) + (f" (closest known: {closest[text]!r})" if closest[text] else "")
        for position, text in lacking[:NAMED_UNKNOWN]
    )
    has_close = any(closest.values())
    if vocabulary.unknown is None:  # then replacing needs a close token for each
        has_close = all(closest.values()) and all(_closest_text(text, vocabulary) for _, text in lacking)
    replace = "`unknown=replace` to use the closest known, or " if has_close else ""
    return UnknownTokensError(f"the model does not know {listed}{more}.", f"Change the text, or pass {replace}{skip}")


def _at_position(position: int, text: str) -> str:
    return f"{text!r} at position {position + 1}"


def _closest_text(text: str, vocabulary: Vocabulary) -> str:
    """The closest known tokens as text; empty if nothing is similar."""
    between = " " if vocabulary.level == "word" else ""
    return between.join(vocabulary.marks.get(token, token) for token in closest_known(text, vocabulary))
