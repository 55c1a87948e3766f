"""What a model returns: written texts, scores, and predictions of the next token."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.generation.texts import Piece, Sample
from charrnn_cli.generation.writer import Ending
from charrnn_cli.setting import check_whole


class TokenScore(NamedTuple):
    """A token and its probability according to the model."""

    token: str  # its name in the vocabulary
    log_probability: float  # in nats, before any filter

    @property
    def surprisal(self) -> float:
        """How unexpected the token was, in bits."""
        return -self.log_probability / math.log(2)


@dataclass(frozen=True)
class Text:
    """A text that a model wrote. `str()` returns the prime and the text, as `charrnn sample` prints them."""

    prime: str  # the text before it; empty if the model continued a state, which does not contain its text
    text: str  # what the model wrote
    ending: Ending  # why it ends
    seed: int
    number: int  # of this text among those with the same seed, from 0
    tokens: int  # number of tokens that the model wrote
    log_probability: float  # of those tokens, in nats; NaN if not scored
    scores: tuple[TokenScore, ...] = field(repr=False)  # of each of them; empty if not scored
    temperature: float  # with which it was written

    def __str__(self) -> str:
        return self.prime + self.text


@dataclass(frozen=True)
class LineScore:
    """How well a model predicts a line after all lines before it."""

    line: int  # from 1
    loss: float  # nats per token
    bits_per_character: float
    perplexity: float  # per token
    tokens: int
    text: str


@dataclass(frozen=True)
class TextScore:
    """How well a model predicts a text. The first token is context; every other token counts once."""

    loss: float  # nats per token
    bits_per_character: float
    perplexity: float  # per token
    tokens: int  # that were scored
    characters: int  # of those tokens
    unknown: int  # number of tokens that the model does not know
    engine: str  # that computed it
    device: str  # on which it ran, in words
    seconds: float
    lines: list[LineScore] = field(default_factory=list, repr=False)  # empty if not asked for
    scores: tuple[TokenScore, ...] = field(default=(), repr=False)  # of each scored token; empty if not asked for
    adapted: bool = False  # whether the model learned from the text while it read it

    @property
    def bits_per_token(self) -> float:
        return self.loss / math.log(2)


@dataclass(frozen=True, eq=False)
class Prediction(Mapping[str, float]):
    """The probability that each of the V tokens of the vocabulary comes next, by the model and without filters."""

    tokens: tuple[str, ...] = field(repr=False)  # V, in the order of their ids
    probabilities: NDArray[np.float64] = field(repr=False)  # (V,), read-only

    def __post_init__(self) -> None:
        self.probabilities.setflags(write=False)

    def __getitem__(self, token: str) -> float:
        return float(self.probabilities[self._ids[token]])

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def likeliest(self, count: int = 10) -> list[tuple[str, float]]:
        """The `count` likeliest tokens with their probabilities, the likeliest first. Raises UsageError."""
        check_whole("count", count, 0)
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.tokens[id], float(self.probabilities[id])) for id in order]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: id for id, token in enumerate(self.tokens)}


def whole_texts(events: Iterable[Piece | Sample], seed: int, temperature: float) -> Iterator[Text]:
    """Makes texts from events that come one text after the other."""
    prime, pieces = "", list[str]()
    for event in events:
        if isinstance(event, Sample):
            scores = tuple(TokenScore(*score) for score in event.scores)
            text = (prime, "".join(pieces), event.ending, seed, event.sample)
            yield Text(*text, event.tokens, event.log_probability, scores, temperature)
        elif event.prime:
            prime, pieces = event.text, []
        else:
            pieces.append(event.text)
