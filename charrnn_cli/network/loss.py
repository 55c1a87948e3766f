"""The loss of a model on a text, in nats, bits and perplexity."""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charrnn_cli.network.model import HiddenState
from charrnn_cli.network.precision import exact_products
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.threads import Threads, steady_threads

WARM_UP = 256  # tokens that a stream reads before those that are scored, to get its hidden state
LONG_WARM_UP = 1024  # the same, for perplexities that are correct to three decimal places
SCORING_WINDOW = 64  # tokens per forward pass, fewer with a large vocabulary; it divides both warm-ups
MOST_LOGITS = 1 << 25  # numbers per forward pass
MOST_STREAMS = 64
WARM_UPS_PER_STREAM = 4  # a stream is at least this many times as long as its warm-up
IGNORED = -100  # a target that F.cross_entropy does not count
LARGEST_EXPONENT = 700.0  # above it, math.exp overflows

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """The mean loss over `tokens` targets, each counted once, with the logits times `scale`."""

    loss: float  # nats per token
    tokens: int
    scale: float = 1.0
    unscaled_loss: float = math.nan  # the loss at scale 1; NaN if that was not tried

    @property
    def bits(self) -> float:
        """Bits per token; at char level, bits per character."""
        return self.loss / math.log(2)

    @property
    def perplexity(self) -> float:
        """The perplexity per token."""
        return perplexity(self.loss)


def perplexity(loss: float) -> float:
    """The exponential of a loss in nats per token."""
    return math.exp(min(loss, LARGEST_EXPONENT))


def cross_entropy(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """The loss in nats of logits (B, T, V) for the targets y (B, T); targets of -100 do not count.

    The reduction "none" gives the loss of every target, (B, T).
    """
    time_first = logits.transpose(0, 1).flatten(0, 1)  # (T * B, V), the order in memory: nothing is copied
    loss = F.cross_entropy(time_first.float(), y.T.flatten(), reduction=reduction, ignore_index=IGNORED)
    return loss.view(y.shape[1], y.shape[0]).T if reduction == "none" else loss


class Network(Protocol):
    """What scoring needs from a model: a `LanguageModel`, or an engine that looks like one."""

    training: bool
    vocabulary_size: int

    def train(self, mode: bool = True) -> Any:
        """Switches dropout on or off."""

    def zero_state(self, streams: int) -> HiddenState:
        """The state before any token."""

    def __call__(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Ids (B, T) and state to logits (B, T, V) and state."""


@dataclass(frozen=True)
class Streams:
    """Parts of a text that are scored side by side: each is responsible for the targets from its start to its end.

    Position n of the text is the input whose target is the token at n + 1.
    """

    starts: Positions  # (B, 1)
    ends: Positions  # (B, 1)
    length: int  # targets per stream
    warm_up: int
    window: int  # T, tokens per forward pass
    has_text_start: bool  # whether the first stream begins where the text does

    def windows(self) -> Iterator[tuple[int, Positions]]:
        """For each forward pass its offset from the starts, which is below 0 in the warm-up, and positions (B, T)."""
        for offset in range(-self.warm_up, self.length, self.window):
            yield offset, np.arange(offset, min(offset + self.window, self.length)) + self.starts

    def progress(self, offset: int) -> float:
        """The share of the work that is done after the window at `offset`."""
        return min(1.0, (self.warm_up + offset + self.window) / (self.warm_up + self.length))


def cut_streams(targets: int, warm_up: int | None, vocabulary_size: int, ranks: Ranks = ALONE) -> Streams:
    """Cuts a text with this many targets into streams, and takes those of this rank. No `warm_up`: one stream."""
    streams = 1 if warm_up is None else max(1, min(MOST_STREAMS, targets // (WARM_UPS_PER_STREAM * warm_up)))
    length = -(-targets // streams)  # rounded up
    starts = length * np.arange(streams)[:, None]  # (B, 1)
    ends = np.minimum(starts + length, targets)
    window = SCORING_WINDOW
    while window > 1 and window * streams * vocabulary_size > MOST_LOGITS:
        window //= 2
    own = ranks.share(streams)
    starts, ends = starts[own], ends[own]
    if not len(starts):  # a rank without streams reads one that has no targets, because all ranks must take part
        starts = ends = np.zeros((1, 1), np.int64)
    return Streams(
        starts,
        ends,
        length,
        warm_up=0 if warm_up is None or streams == 1 else warm_up,
        window=window,
        has_text_start=own.start == 0,
    )


def score_streams(
    model: Network,
    tokens: NDArray[np.integer[Any]],
    device: torch.device,
    warm_up: int | None = WARM_UP,
    each: NDArray[np.float32] | None = None,
    scales: Sequence[float] = (1.0,),
    ranks: Ranks = ALONE,
    threads: Threads | None = None,
) -> Generator[float, None, Score]:
    """Scores a model on tokens (N,), which are N - 1 targets: yields the share that is done, then returns the score.

    `tokens` may be a memory map: only a window of it at a time goes to the device. The text is cut into streams that
    are read side by side. A stream starts `warm_up` tokens early without scoring them; its loss then differs from that
    of a single pass by less than 1e-4. If `warm_up` is None the text is read in a single pass.

    The loss of every target is written to `each` (N - 1,), which needs a single scale. The score is that of the best
    of several `scales` of the logits. Several `ranks` share the streams. The number of `threads` follows the load of
    the machine. Raises RunError if an id of the text is not in the vocabulary of the model.
    """
    targets = len(tokens) - 1
    streams = cut_streams(targets, warm_up, model.vocabulary_size, ranks)
    exact = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
    totals = torch.zeros(len(scales), dtype=exact, device=device)  # nats; read once, because that waits for a GPU
    threads = threads or steady_threads()
    with _dropout_off(model):
        state = model.zero_state(len(streams.starts))
        for offset, positions in streams.windows():
            counted = (positions >= streams.starts) & (positions < streams.ends)  # (B, T)
            x, y = _window(tokens, positions, counted, model.vocabulary_size, device)  # (B, T)
            if offset == 0 and streams.has_text_start:
                _forget_warm_up(state)
            threads.start()
            with torch.no_grad(), exact_products(device.type):
                logits, state = model(x, state)  # (B, T, V)
                for k, scale in enumerate(scales):
                    losses = cross_entropy(logits if scale == 1 else scale * logits, y, "none")  # (B, T)
                    totals[k] += losses.sum(dtype=exact)
            threads.stop()
            if each is not None:
                each[positions[counted]] = losses.cpu().numpy()[counted]
            yield streams.progress(offset)
        losses_by_scale = dict(zip(scales, (ranks.sum(totals.cpu().double()) / targets).tolist(), strict=True))
        best_scale = min(losses_by_scale, key=lambda scale: losses_by_scale[scale])
        threads.reset()
        return Score(losses_by_scale[best_scale], targets, best_scale, losses_by_scale.get(1.0, math.nan))


@contextmanager
def _dropout_off(model: Network) -> Iterator[None]:
    """Takes the model out of training mode for a while."""
    was_training = model.training
    model.train(False)
    try:
        yield
    finally:
        model.train(was_training)


def _window(
    tokens: NDArray[np.integer[Any]],
    positions: Positions,
    counted: NDArray[np.bool_],
    vocabulary_size: int,
    device: torch.device,
) -> Tensor:
    """The inputs and targets (2, B, T) at some positions (B, T) of a text; targets that are not counted are ignored."""
    inputs_and_targets = np.stack((positions, positions + 1)).clip(0, len(tokens) - 1)  # (2, B, T)
    window = tokens[inputs_and_targets].astype(np.int64)
    check_ids(window, vocabulary_size)
    window[1, ~counted] = IGNORED
    return torch.from_numpy(window).to(device)


def _forget_warm_up(state: HiddenState) -> None:
    """Sets the state of the first stream to zero: no text comes before it, so its warm-up read nothing real."""
    for part in state:  # (L, B, H)
        part[:, 0] = 0.0
