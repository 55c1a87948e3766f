"""How well a model predicts a text: the whole text, and each of its lines."""

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.config import EngineName
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.generation.numpy_engine import NumpyEngine, StepState
from charrnn_cli.generation.results import LineScore, TextScore, TokenScore
from charrnn_cli.generation.sampling import BROKEN
from charrnn_cli.network.adaptation import adaptive_network
from charrnn_cli.network.device import device_name, pick_device, watched_threads
from charrnn_cli.network.loss import LONG_WARM_UP, Network, perplexity, score_streams
from charrnn_cli.network.model import HiddenState, trained_model
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.text.scorable import ScorableText
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.threads import Threads, blas_threads, steady_threads


class EngineNetwork:
    """An engine in the form that scoring expects: that of a `LanguageModel`."""

    training = False

    def __init__(self, engine: Engine[Any], vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        self._engine = engine

    def train(self, mode: bool = True) -> None:
        """Does nothing: an engine has no dropout."""

    def zero_state(self, streams: int) -> HiddenState:
        layers = self._engine.start(streams).parts
        return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*layers, strict=True))

    def __call__(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        engine_state = StepState(tuple(zip(*(part.numpy() for part in state), strict=True)))
        steps = []
        for ids in x.numpy().T:
            logits, engine_state = self._engine.step(ids, engine_state)  # (B, V)
            steps.append(torch.from_numpy(logits))
        end_state = tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*engine_state.parts, strict=True))
        return torch.stack(steps, 1), end_state  # (B, T, V)


def scoring_device(engine: EngineName, gpu: bool, cpu: bool, device: str | None) -> torch.device:
    """The device that scores: for torch as `pick_device` says, for other engines the CPU.

    Raises UsageError, DeviceError.
    """
    only_cpu = engine in ("numpy", "onnx")
    if only_cpu and (gpu or device):
        setting = "`gpu`" if gpu else f"`device={device}`"
        raise UsageError(f"`engine={engine}` computes on the CPU only. Leave out {setting}, or pass `engine=torch`.")
    return pick_device(gpu, cpu or only_cpu, device)


def score_text(
    model: StoredModel,
    text: ScorableText,
    device: torch.device,
    exact: bool = False,
    engine: EngineName = "torch",
    threads: int | None = None,
    each_token: bool = False,
    adapt: bool = False,
) -> Iterator[float | TextScore]:
    """Scores a text: yields the share that is done, then the score. The state is carried through the whole text.

    A long text is read in parallel streams, unless `exact` or `adapt` is set. With `each_token` the result has the
    score of each. With `adapt`, a copy of the model learns from each part of the text after it has predicted it. Raises
    UsageError if the engine is not installed or cannot learn, RunError if the weights are corrupt.
    """
    started = time.perf_counter()
    network, name, watched = scoring_network(model, device, engine, threads, adapt)
    token_losses = np.zeros(len(text.ids) - 1, np.float32) if text.lines or each_token else None
    warm_up = None if exact or adapt else LONG_WARM_UP
    result = yield from score_streams(network, text.ids, device, warm_up, token_losses, threads=watched)
    if not math.isfinite(result.loss):
        raise RunError(BROKEN)
    yield TextScore(
        loss=result.loss,
        bits_per_character=_bits(result.loss * result.tokens, text.characters),
        perplexity=result.perplexity,
        tokens=result.tokens,
        characters=text.characters,
        unknown=text.unknown,
        engine=name,
        device=device_name(device),
        seconds=time.perf_counter() - started,
        lines=[] if token_losses is None else list(_line_scores(text, token_losses.astype(np.float64))),
        scores=_token_scores(text, token_losses, model.vocabulary) if each_token and token_losses is not None else (),
        adapted=adapt,
    )


def scoring_network(
    model: StoredModel, device: torch.device, engine: EngineName, threads: int | None, adapt: bool = False
) -> tuple[Network, str, Threads]:
    """What computes the logits, its name, and the threads that it is told to use. With `adapt`, it learns.

    Raises UsageError if the engine is not installed or cannot learn.
    """
    if engine in ("auto", "torch"):
        network = adaptive_network(model, device) if adapt else trained_model(model.settings, model.weights, device)
        return network, "torch", watched_threads(device, threads)
    if adapt:
        raise UsageError(f"`engine={engine}` cannot learn, which `adapt` needs. Pass `engine=torch`.")
    stepping = load_engine(model, engine, threads=threads)
    if isinstance(stepping, NumpyEngine):
        stepping.threads = blas_threads(threads)
    return EngineNetwork(stepping, len(model.vocabulary)), stepping.name, steady_threads()


def _token_scores(
    text: ScorableText, token_losses: NDArray[np.float32], vocabulary: Vocabulary
) -> tuple[TokenScore, ...]:
    """The score of each token but the first."""
    tokens = vocabulary.decode(text.ids[1:].tolist())
    return tuple(TokenScore(token, -loss) for token, loss in zip(tokens, token_losses.tolist(), strict=True))


def _line_scores(text: ScorableText, token_losses: NDArray[np.float64]) -> Iterator[LineScore]:
    """The score of each line, without lines that have no predicted token."""
    start = 0
    for number, line in enumerate(text.lines, 1):
        losses = token_losses[max(start - 1, 0) : line.end - 1]  # the loss at n is that of the token at n + 1
        start = line.end
        if len(losses):
            loss = float(losses.mean())
            bits = _bits(float(losses.sum()), line.characters)
            yield LineScore(number, loss, bits, perplexity(loss), len(losses), line.text)


def _bits(nats: float, characters: int) -> float:
    """Bits per character; a text without characters counts as one character."""
    return nats / math.log(2) / max(characters, 1)
