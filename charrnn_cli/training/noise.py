"""What is random in a step: a function of the seed, the step and the rank, so that no generator's state is to be kept.

A run that goes on draws what it would have drawn, and with another number of ranks the resets stay the same.
"""

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.network.model import State


def seed_dropout(seed: int, step: int, rank: int) -> None:
    """Seeds torch's generators for the dropout of one step on one rank."""
    entropy = np.random.SeedSequence([seed, step, 1 + rank])
    torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))


def reset(hidden: State, mine: slice, streams: int, probability: float, seed: int, step: int) -> State:
    """Zeroes the state of each stream with `probability`, so that the model knows how a text begins.

    `hidden` is that of the streams `mine` of all `streams`.
    """
    if not probability:
        return hidden
    kept = np.random.default_rng([seed, step]).random(streams)[mine] >= probability
    keep: Tensor = torch.from_numpy(kept).to(hidden[0])[:, None]  # (B, 1)
    return tuple(part * keep for part in hidden)  # (L, B, H)
