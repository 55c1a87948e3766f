"""The random numbers of a step. They depend on the seed, the step and the rank only, so no generator needs to be saved.

A resumed run draws the numbers that it would have drawn without the interruption. With a different number of
ranks, the resets are the same.
"""

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.config import TrainingSettings
from charrnn_cli.network.model import HiddenState
from charrnn_cli.network.ranks import Ranks

STEPS = 100  # whose resets are drawn together


def seed_dropout(seed: int, step: int, rank: int) -> None:
    """Seeds torch's generators for the dropout of one step on one rank."""
    entropy = np.random.SeedSequence([seed, step, 1 + rank])
    torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))


class Resets:
    """Zeroes the hidden state of streams with the probability `reset`, so that the model learns how a text starts."""

    def __init__(self, settings: TrainingSettings, ranks: Ranks, device: torch.device) -> None:
        self._settings = settings
        self._streams = ranks.share(settings.batch_size)
        self._device = device
        self._block = -1
        self._masks = torch.empty(0)  # (STEPS, B, 1) of the steps of this block

    def apply(self, hidden: HiddenState, step: int) -> HiddenState:
        """The state (L, B, H) each of the streams of this rank, at the start of a step. Does not wait for a GPU."""
        if not self._settings.reset:
            return hidden
        block, k = divmod(step, STEPS)
        if block != self._block:
            self._block, self._masks = block, self._draw(block * STEPS)
        return tuple(part * self._masks[k] for part in hidden)

    def _draw(self, first: int) -> Tensor:
        """The masks of many steps. Copied to a GPU together, from memory that lets the host continue at once."""
        settings = self._settings
        drawn = [
            np.random.default_rng([settings.seed, step]).random(settings.batch_size)[self._streams]
            for step in range(first, first + STEPS)
        ]
        kept = torch.from_numpy(np.stack(drawn) >= settings.reset).float()[:, :, None]
        if self._device.type == "cuda":
            return kept.pin_memory().to(self._device, non_blocking=True)
        return kept.to(self._device)
