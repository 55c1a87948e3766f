"""The network and the draw in torch, on a GPU or another device.

A block of tokens is drawn on the device, and the CPU waits once per block. Sizes: B texts, T tokens, V tokens of the
vocabulary, W recent tokens.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Engine, Sampler, TokenBlock
from charrnn_cli.generation.sampling import BROKEN, Ids
from charrnn_cli.network.model import HiddenState, trained_model
from charrnn_cli.network.precision import exact_products

NEVER = -math.inf  # the logit of a token that is not drawn


class TorchEngine(Engine[HiddenState]):
    """A `LanguageModel` that reads one token of B texts at a time."""

    fuses = frozenset(
        {
            *("ban", "allow_only", "allow_unknown", "temperature", "top_n", "top_p", "min_p"),
            *("repetition_penalty", "repetition_window"),
        }
    )
    group_sizes = (1, 63, 4032)
    block_tokens = 32

    def __init__(
        self,
        weights: Mapping[str, NDArray[Any]],
        settings: ModelSettings,
        device: torch.device,
        threads: int | None = None,
    ) -> None:
        self.name = f"torch on {device}"
        self.model = trained_model(settings, weights, device).eval()
        self.device = device
        if threads is not None:
            torch.set_num_threads(threads)

    def tokens_at_once(self, texts: int) -> int:
        """A block, also of a single text on a GPU: the CPU would wait for every token there."""
        return 1 if texts == 1 and self.device.type == "cpu" else self.block_tokens

    def start(self, streams: int) -> HiddenState:
        return self.model.zero_state(streams)

    def rows(self, state: HiddenState, rows: Ids) -> HiddenState:
        return tuple(part[:, self._tensor(rows)] for part in state)

    def together(self, states: Sequence[HiddenState]) -> HiddenState:
        return tuple(torch.cat(parts, 1) for parts in zip(*states, strict=True))

    def to_array(self, state: HiddenState) -> NDArray[np.float32]:
        array: NDArray[np.float32] = torch.stack(state, 2).transpose(0, 1).flatten(1).float().cpu().numpy()
        return array

    def from_array(self, array: NDArray[np.float32]) -> HiddenState:
        L, _, H = self.model.zero_state(1)[0].shape
        parts = torch.tensor(array, device=self.device).view(len(array), L, -1, H)  # (B, L, states, H)
        return tuple(part.transpose(0, 1).contiguous() for part in parts.unbind(2))

    def step(self, ids: Ids, state: HiddenState) -> tuple[NDArray[np.float32], HiddenState]:
        with torch.inference_mode():
            logits, state = self._step(self._tensor(ids), state)
            return logits.float().cpu().numpy(), state

    def write_fused(
        self, ids: Ids, state: HiddenState, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> TokenBlock[HiddenState]:
        """Writes with filters and draw on the device."""
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        with torch.inference_mode():
            x, recent_ids = self._tensor(ids), self._tensor(recent)  # (B,), (B, W)
            random_numbers = torch.as_tensor(uniforms).to(self.device, exact)  # (B, T)
            allowed = None if sampler.allowed.all() else torch.as_tensor(sampler.allowed, device=self.device)  # (V,)
            finite = torch.ones((), dtype=torch.bool, device=self.device)
            drawn, scores = [], []
            for t in range(random_numbers.shape[1]):
                logits, state = self._step(x, state)
                logits = logits.to(exact)  # (B, V)
                finite &= logits.isfinite().all()
                x = draw(filtered(logits, recent_ids, sampler, allowed), random_numbers[:, t])  # (B,)
                if recent_ids.shape[1]:
                    recent_ids = torch.cat([recent_ids, x[:, None]], 1)[:, 1:]
                drawn.append(x)
                if sampler.scored:
                    scores.append(logits.log_softmax(1).gather(1, x[:, None])[:, 0])
            if not finite.item():
                raise RunError(BROKEN)
            score_array = torch.stack(scores, 1).double().cpu().numpy() if scores else None
            return TokenBlock(torch.stack(drawn, 1).cpu().numpy(), score_array, state)

    def _step(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        with exact_products(self.device.type):
            logits, state = self.model(x[:, None], state)  # (B, 1, V)
        return logits[:, 0], state

    def _tensor(self, ids: Ids) -> Tensor:
        return torch.as_tensor(np.asarray(ids, np.int64), device=self.device)


def filtered(logits: Tensor, recent: Tensor, sampler: Sampler, allowed: Tensor | None) -> Tensor:
    """Applies the filters of `sampling` to logits (B, V); `allowed` (V,) tokens may be drawn, all if it is None."""
    settings = sampler.settings
    if allowed is not None:
        logits = logits.where(allowed, NEVER)
    if settings.repetition_penalty != 1:
        logits = _penalize(logits, recent, settings.repetition_penalty)
    if settings.temperature == 0:
        return _top_n(logits, 1)
    logits = (logits - logits.amax(1, keepdim=True)) / settings.temperature
    if settings.top_n:
        logits = _top_n(logits, settings.top_n)
    if settings.top_p < 1:
        logits = _top_p(logits, settings.top_p)
    if settings.min_p:
        logits = logits.where(logits >= logits.amax(1, keepdim=True) + math.log(settings.min_p), NEVER)
    return logits


def draw(logits: Tensor, uniforms: Tensor) -> Tensor:
    """Does the same as `sampling.draw`: ids (B,), each drawn with one uniform number (B,)."""
    cumulative = (logits - logits.amax(1, keepdim=True)).exp().cumsum(1)
    total = cumulative[:, -1]
    target = torch.minimum(uniforms * total, total.nextafter(torch.zeros_like(total)))
    return (cumulative <= target[:, None]).sum(1)


def _penalize(logits: Tensor, recent: Tensor, penalty: float) -> Tensor:
    B, V = logits.shape
    seen = torch.zeros(B, V + 1, dtype=torch.bool, device=logits.device)
    seen.scatter_(1, recent.where(recent >= 0, V), True)  # -1, no token, is the extra column
    return logits.where(~seen[:, :V], torch.where(logits > 0, logits / penalty, logits * penalty))


def _top_n(logits: Tensor, n: int) -> Tensor:
    if n >= logits.shape[1]:
        return logits
    return _keep_largest(logits, logits.topk(n, dim=1).values[:, -1:], n)


def _top_p(logits: Tensor, p: float) -> Tensor:
    ordered = logits.sort(dim=1, descending=True).values
    shares = ordered.softmax(1)
    n = (shares.cumsum(1) - shares < p).sum(1, keepdim=True)  # (B, 1), by the share of all likelier tokens
    n = n.clamp(min=1)  # NaN gives 0
    return _keep_largest(logits, ordered.gather(1, n - 1), n)


def _keep_largest(logits: Tensor, border: Tensor, n: Tensor | int) -> Tensor:
    """Keeps n of each row: those above `border`, the n-th largest (B, 1), and of those equal to it the lower ids."""
    above, ties = logits > border, logits == border
    return logits.where(above | (ties & (ties.cumsum(1) <= n - above.sum(1, keepdim=True))), NEVER)
