"""What a batcher is asked to write, and the events by which it answers."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.prompts import Prompt
from charrnn_cli.generation.writer import Ending


@dataclass(frozen=True, eq=False)
class TextRequest:
    """One text to write after a prompt."""

    prompt: Prompt
    settings: SamplingSettings
    seed: int
    number: int = 0  # of the text; the seed and the number determine its random numbers
    bias: tuple[tuple[int, float], ...] = ()  # token ids, and what is added to their logits
    scored: bool = False  # whether to report the log-probabilities of written tokens
    prompt_scored: bool = False  # whether to report those of the prompt
    alternatives: int = 0  # how many of the likeliest tokens to report with each scored token
    echo: bool = False  # whether `Read` has the text of the prompt
    owner: str = ""  # hidden states are shared only by requests with the same owner


class ScoredToken(NamedTuple):
    """A token with its log-probability in nats, before any filter; NaN if nothing comes before it."""

    id: int
    log_probability: float
    alternatives: tuple[tuple[int, float], ...] = ()  # ids and log-probabilities, the likeliest first


class Read(NamedTuple):
    """The prompt has been read. Comes before any text."""

    text: str
    tokens: tuple[ScoredToken, ...]
    cached: int  # tokens whose state came from the cache


class Written(NamedTuple):
    """More text."""

    text: str
    tokens: tuple[ScoredToken, ...]


class Ended(NamedTuple):
    """The end of a text, and the number of its tokens. "cancelled": by `Batcher.cancel` or `close`."""

    ending: Ending | Literal["cancelled"]
    tokens: int


class Failed(NamedTuple):
    """A text that could not be written."""

    error: Exception


TextEvent = Read | Written | Ended | Failed  # each request ends with one Ended or Failed
Events = list[tuple[TextRequest, TextEvent]]
