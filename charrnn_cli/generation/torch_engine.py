"""The recurrent step and the draw in torch, on a GPU: the same verbs as the NumPy engine.

A block of tokens is drawn on the device, which nobody waits for until the block is whole. Sizes: B texts, T tokens of a
block, V tokens of the vocabulary, W tokens of a window.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Block, Sampler, fixed_groups
from charrnn_cli.generation.sampling import BROKEN, Ids
from charrnn_cli.network.model import State, trained_model

GROUPS = (1, 63, 4032)  # texts that are written side by side; more are written in groups of the last size
BLOCK = 32  # tokens that are drawn before the host looks at them


class TorchEngine:
    """A `LanguageModel` that reads one token of B texts at a time."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings, device: torch.device) -> None:
        self.name = f"torch on {device}"
        self.model = trained_model(settings, weights, device).eval()
        self.device = device

    def tokens_at_once(self, texts: int) -> int:
        """As many as are drawn before the host waits; a single text comes as it is made."""
        return 1 if texts == 1 else BLOCK

    def groups(self, texts: int) -> list[int]:
        """Few sizes, because each is written whole."""
        return fixed_groups(texts, GROUPS)

    def start(self, streams: int) -> State:
        """The state before any token."""
        return self.model.zero_state(streams)

    def repeat(self, state: State, streams: int) -> State:
        """The state of one text as that of so many."""
        return tuple(part.expand(-1, streams, -1).contiguous() for part in state)

    def step(self, ids: Ids, state: State) -> tuple[NDArray[np.float32], State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        with torch.inference_mode():
            logits, state = self._step(self._tensor(ids), state)
            return logits.float().cpu().numpy(), state

    def write(
        self, ids: Ids, state: State, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> Block[State]:
        """As `Engine` says; the host waits once, for the whole block."""
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        with torch.inference_mode():
            x, seen, draws = self._tensor(ids), self._tensor(recent), torch.as_tensor(uniforms).to(self.device, exact)
            allowed = None if sampler.allowed.all() else torch.as_tensor(sampler.allowed, device=self.device)
            broken = torch.zeros((), dtype=torch.bool, device=self.device)
            drawn, scores = [], []
            for t in range(draws.shape[1]):
                logits, state = self._step(x, state)
                logits = logits.to(exact)  # (B, V)
                broken |= ~logits.isfinite().all()
                x = draw(filtered(logits, seen, sampler, allowed), draws[:, t])  # (B,)
                seen = torch.cat([seen, x[:, None]], 1)[:, 1:] if seen.shape[1] else seen
                drawn.append(x)
                if sampler.scored:
                    scores.append(logits.log_softmax(1).gather(1, x[:, None])[:, 0])
            if broken.item():
                raise RunError(BROKEN)
            found = torch.stack(scores, 1).double().cpu().numpy() if scores else None
            return Block(torch.stack(drawn, 1).cpu().numpy(), found, state)

    def _step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        with torch.backends.cudnn.flags(allow_tf32=False):  # as exact as the NumPy engine
            logits, state = self.model(x[:, None], state)  # (B, 1, V)
        return logits[:, 0], state

    def _tensor(self, ids: Ids) -> Tensor:
        return torch.as_tensor(np.asarray(ids, np.int64), device=self.device)


def filtered(logits: Tensor, recent: Tensor, sampler: Sampler, allowed: Tensor | None) -> Tensor:
    """What `sampling.filters` leaves of logits (B, V), of which `allowed` (V,) may be drawn."""
    settings, never = sampler.settings, -math.inf
    if allowed is not None:
        logits = logits.where(allowed, never)
    if settings.repetition_penalty != 1:
        B, V = logits.shape
        seen = torch.zeros(B, V + 1, dtype=torch.bool, device=logits.device)
        seen.scatter_(1, recent.where(recent >= 0, V), True)  # V is the column too many
        penalty = settings.repetition_penalty
        logits = logits.where(~seen[:, :V], torch.where(logits > 0, logits / penalty, logits * penalty))
    if settings.temperature == 0:
        return _top_n(logits, 1)
    logits = (logits - logits.amax(1, keepdim=True)) / settings.temperature
    if settings.top_n:
        logits = _top_n(logits, settings.top_n)
    if settings.top_p < 1:
        ordered = logits.sort(dim=1, descending=True).values
        shares = ordered.softmax(1)
        n = (
            (shares.cumsum(1) - shares < settings.top_p).sum(1, keepdim=True).clamp(min=1)
        )  # (B, 1); 0 of what is broken
        logits = _down_to(logits, ordered.gather(1, n - 1), n)
    if settings.min_p:
        logits = logits.where(logits >= logits.amax(1, keepdim=True) + math.log(settings.min_p), never)
    return logits


def draw(logits: Tensor, uniforms: Tensor) -> Tensor:
    """As `sampling.draw`: ids (B,), each by one uniform number (B,)."""
    cumulative = (logits - logits.amax(1, keepdim=True)).exp().cumsum(1)
    total = cumulative[:, -1]
    target = torch.minimum(uniforms * total, total.nextafter(torch.zeros_like(total)))
    return (cumulative <= target[:, None]).sum(1)


def _top_n(logits: Tensor, n: int) -> Tensor:
    if n >= logits.shape[1]:
        return logits
    return _down_to(logits, logits.topk(n, dim=1).values[:, -1:], n)


def _down_to(logits: Tensor, border: Tensor, n: Tensor | int) -> Tensor:
    """As in `sampling`: leaves n of each row."""
    above, ties = logits > border, logits == border
    return logits.where(above | (ties & (ties.cumsum(1) <= n - above.sum(1, keepdim=True))), -math.inf)
