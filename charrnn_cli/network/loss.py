"""The loss of a model on a text: nats, bits and perplexity."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charrnn_cli.network.model import State
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.text.corpus import check_ids

WARM_UP = 256  # tokens that a stream reads before it is scored: the state of a stream cut from the middle of the text
LONG_WARM_UP = 1024  # the same, where perplexities are to agree in three digits after the point
WINDOW = 64  # tokens at once, and less where the vocabulary is large; a divisor of both
LOGITS = 1 << 25  # numbers at once, at most
WORTH = 4  # times its warm-up a stream is long at least
STREAMS = 64


@dataclass(frozen=True)
class Score:
    """The mean loss over `tokens` targets, each counted once, with the logits times `scale`."""

    loss: float  # nats per token
    tokens: int
    scale: float = 1.0

    @property
    def bits(self) -> float:
        """Bits per token; at char level, bits per character."""
        return self.loss / math.log(2)

    @property
    def perplexity(self) -> float:
        """Per token."""
        return perplexity(self.loss)


def perplexity(loss: float) -> float:
    """E to a loss in nats per token."""
    return math.exp(min(loss, 700.0))


def cross_entropy(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """The loss in nats of logits (B, T, V) at the targets y (B, T); targets of -100 do not count.

    The reduction "none" gives the loss of every target, (B, T).
    """
    in_time_order = logits.transpose(0, 1).flatten(0, 1)  # (T * B, V), as the model laid them out: no copy
    loss = F.cross_entropy(in_time_order.float(), y.T.flatten(), reduction=reduction)
    return loss.view(y.shape[1], y.shape[0]).T if reduction == "none" else loss


class Network(Protocol):
    """What scoring asks of a `LanguageModel`."""

    training: bool
    vocabulary_size: int

    def train(self, mode: bool = True) -> Any:
        """Goes into training, or out of it."""

    def zero_state(self, streams: int) -> State:
        """The state before any token."""

    def __call__(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Ids (B, T), state to logits (B, T, V), state."""


def score(
    model: Network,
    tokens: NDArray[np.integer[Any]],
    device: torch.device,
    warm_up: int | None = WARM_UP,
    each: NDArray[np.float32] | None = None,
    scales: Sequence[float] = (1.0,),
    ranks: Ranks = ALONE,
) -> Generator[float, None, Score]:
    """Scores `model` on `tokens` (N,), N - 1 targets: yields the share that is done, returns the score.

    The text may be a memory map: a window of it at a time goes to the device.
    The text is cut into streams that are read side by side. A stream starts `warm_up` tokens early, unscored, so that
    its state is what a single pass would have brought along, to a loss that differs by less than 1e-4. With None the
    text is read in a single pass. The loss of every target is written into `each` (N - 1,), which is for one scale. Of
    several `scales` of the logits the best one makes the score. Several `ranks` share the streams. Raises RunError
    where the text has ids that the model lacks.
    """
    targets = len(tokens) - 1
    B = 1 if warm_up is None else max(1, min(STREAMS, targets // (WORTH * warm_up)))
    warm_up = 0 if B == 1 or warm_up is None else warm_up
    S = -(-targets // B)
    T = WINDOW
    while T > 1 and T * B * model.vocabulary_size > LOGITS:
        T //= 2
    position = np.arange(-warm_up, S)  # (S + warm-up,)
    starts = S * np.arange(B)[:, None]  # (B, 1)
    ends = np.minimum(starts + S, targets)
    mine = ranks.share(B)
    first = mine.start == 0
    starts, ends = (part[mine] if mine.stop > mine.start else part[:1] * 0 for part in (starts, ends))  # or one idles
    was_training = model.training
    model.train(False)
    try:
        state = model.zero_state(len(starts))
        totals = [0.0] * len(scales)
        for column in range(0, len(position), T):
            at = position[column : column + T] + starts  # (B, T)
            counted = (at >= starts) & (at < ends)
            window = tokens[np.clip(np.stack((at, at + 1)), 0, targets)].astype(np.int64)  # (2, B, T)
            check_ids(window, model.vocabulary_size)
            window[1, ~counted] = -100
            x, y = torch.from_numpy(window).to(device)
            if warm_up and column == warm_up and first:  # the first stream has no text before it
                for part in state:
                    part[:, 0] = 0.0
            with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
                logits, state = model(x, state)  # (B, T, V)
                for k, scale in enumerate(scales):
                    losses = cross_entropy(logits if scale == 1 else scale * logits, y, "none")  # (B, T)
                    totals[k] += losses.cpu().double().sum().item()
            if each is not None:
                each[at[counted]] = losses.cpu().numpy()[counted]
            yield min(1.0, (column + T) / len(position))
        totals = ranks.sum(torch.tensor(totals, dtype=torch.float64)).tolist()
        total, scale = min(zip(totals, scales, strict=True))
        return Score(total / targets, targets, scale)
    finally:
        model.train(was_training)
