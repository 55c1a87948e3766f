"""The random numbers of a step. They depend on the seed, the step and the rank only, so no generator needs to be saved.

A resumed run draws the numbers that it would have drawn without the interruption. With a different number of
ranks, the resets are the same.
"""

import numpy as np
import torch

from charrnn_cli.config import TrainingSettings
from charrnn_cli.network.model import HiddenState
from charrnn_cli.network.ranks import Ranks


def seed_dropout(seed: int, step: int, rank: int) -> None:
    """Seeds torch's generators for the dropout of one step on one rank."""
    entropy = np.random.SeedSequence([seed, step, 1 + rank])
    torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))


def reset_streams(hidden: HiddenState, settings: TrainingSettings, step: int, ranks: Ranks) -> HiddenState:
    """Zeroes the hidden state of each stream with the probability `reset`, so that the model learns how a text starts.

    `hidden` is the state of the streams of this rank, (L, B, H) each.
    """
    if not settings.reset:
        return hidden
    drawn = np.random.default_rng([settings.seed, step]).random(settings.batch_size)
    kept = drawn[ranks.share(settings.batch_size)] >= settings.reset
    mask = torch.from_numpy(kept).to(hidden[0])[:, None]  # (B, 1)
    return tuple(part * mask for part in hidden)  # (L, B, H)
