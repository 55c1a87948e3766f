"""Nats, bits per character and perplexity on held-out text."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn_cli.training.model import LanguageModel, cross_entropy

WARM_UP = 256  # tokens that a stream reads before it is scored: the state of a stream cut from the middle of the text
WINDOW = 64  # a divisor of WARM_UP
STREAM = 1024  # scored tokens that make a stream worth its warm-up
STREAMS = 64


@dataclass(frozen=True)
class Score:
    """The mean loss over `tokens` targets, each counted once."""

    loss: float  # nats per token
    tokens: int

    @property
    def bits(self) -> float:
        """Bits per token; at char level, bits per character."""
        return self.loss / math.log(2)

    @property
    def perplexity(self) -> float:
        """E to the loss."""
        return math.exp(min(self.loss, 700.0))


@torch.inference_mode()
def evaluate(
    model: LanguageModel, tokens: Tensor, device: torch.device, stop: Callable[[], bool] = lambda: False
) -> Score | None:
    """The score of `model` on `tokens` (N,), N - 1 targets; None where `stop` asked to stop first.

    The text is cut into streams that are read side by side. A stream starts WARM_UP tokens early, unscored, so that
    its state is what a single pass would have brought along, to a loss that differs by less than 1e-3.
    """
    targets = len(tokens) - 1
    B = max(1, min(STREAMS, targets // STREAM))
    S = -(-targets // B)
    position = torch.arange(-WARM_UP if B > 1 else 0, S, device=tokens.device)  # (S + warm-up,)
    position = position + S * torch.arange(B, device=tokens.device)[:, None]  # (B, S + warm-up)
    ends = (torch.arange(1, B + 1, device=tokens.device) * S).clamp(max=targets)[:, None]
    starts = torch.arange(B, device=tokens.device)[:, None] * S
    was_training = model.training
    model.eval()
    try:
        state = model.zero_state(B)
        total = 0.0
        for column in range(0, position.shape[1], WINDOW):
            if stop():
                return None
            at = position[:, column : column + WINDOW]  # (B, T)
            x = tokens[at.clamp(0, targets)].long().to(device)
            y = tokens[(at + 1).clamp(0, targets)].long()
            y = y.masked_fill((at < starts) | (at >= ends), -100).to(device)
            if B > 1 and column == WARM_UP:  # the first stream has no text before it
                state[0][:, 0], state[1][:, 0] = 0.0, 0.0
            logits, state = model(x, state)  # (B, T, V)
            total += cross_entropy(logits, y, "sum").item()
        return Score(total / targets, targets)
    finally:
        model.train(was_training)
