"""How well a model predicts a text: the whole of it, and each of its lines."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.config import EngineName
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.generation.numpy_engine import State as StepState
from charrnn_cli.generation.sampling import BROKEN
from charrnn_cli.network.loss import LONG_WARM_UP, perplexity, score_streams
from charrnn_cli.network.model import LanguageModel, State, trained_model
from charrnn_cli.runs.models import Model
from charrnn_cli.text.scorable import Reading


@dataclass(frozen=True)
class LineScore:
    """How well one line is predicted, after all the lines before it."""

    line: int  # from 1
    loss: float  # nats per token
    bits_per_character: float
    perplexity: float  # per token
    tokens: int
    text: str


@dataclass(frozen=True)
class TextScore:
    """How well a text is predicted. Its first token is given, and every other one counted once."""

    loss: float  # nats per token
    bits_per_character: float
    perplexity: float  # per token
    tokens: int  # predicted
    characters: int  # of those tokens
    unknown: int
    engine: str  # what computed it
    seconds: float
    lines: list[LineScore]


class EngineNetwork:
    """An engine that steps, with what scoring asks of a `LanguageModel`."""

    training = False

    def __init__(self, engine: Engine[Any], vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        self._engine = engine

    def train(self, mode: bool = True) -> None:
        """Nothing: an engine does not learn."""

    def zero_state(self, streams: int) -> State:
        """The state before any token, h and c (L, B, H)."""
        layers = self._engine.start(streams).parts
        return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*layers, strict=True))

    def __call__(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Ids (B, T), state to logits (B, T, V), state."""
        now, logits = StepState(tuple(zip(*(part.numpy() for part in state), strict=True))), []
        for ids in x.numpy().T:
            step, now = self._engine.step(ids, now)
            logits.append(torch.from_numpy(step))
        ends = tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*now.parts, strict=True))
        return torch.stack(logits, 1), ends


def score_text(
    model: Model, reading: Reading, device: torch.device, exact: bool = False, engine: EngineName = "torch"
) -> Iterator[float | TextScore]:
    """Scores a text: yields the share that is done, then the result. The state is carried through the whole text.

    An engine other than torch computes as it does when it writes, in many streams. Raises UsageError where it is not
    installed, RunError where the weights are broken.
    """
    started = time.perf_counter()
    network: LanguageModel | EngineNetwork
    if engine in ("auto", "torch"):
        network, name = trained_model(model.settings, model.weights, device), "torch"
    else:
        stepping = load_engine(model, engine)
        network, name = EngineNetwork(stepping, len(model.vocabulary)), stepping.name
    each = np.zeros(len(reading.ids) - 1, np.float32) if reading.lines else None
    result = yield from score_streams(network, reading.ids, device, None if exact else LONG_WARM_UP, each)
    if not math.isfinite(result.loss):
        raise RunError(BROKEN)
    yield TextScore(
        loss=result.loss,
        bits_per_character=_bits(result.loss * result.tokens, reading.characters),
        perplexity=result.perplexity,
        tokens=result.tokens,
        characters=reading.characters,
        unknown=reading.unknown,
        engine=name,
        seconds=time.perf_counter() - started,
        lines=[] if each is None else list(_line_scores(reading, each.astype(np.float64))),
    )


def _line_scores(reading: Reading, each: NDArray[np.float64]) -> Iterator[LineScore]:
    start = 0
    for number, line in enumerate(reading.lines, 1):
        losses = each[max(start - 1, 0) : line.end - 1]  # token k is the target k - 1
        start = line.end
        if len(losses):
            loss = float(losses.mean())
            bits = _bits(float(losses.sum()), line.characters)
            yield LineScore(number, loss, bits, perplexity(loss), len(losses), line.text)


def _bits(nats: float, characters: int) -> float:
    """Bits per character; tokens without a character count as one."""
    return nats / math.log(2) / max(characters, 1)
