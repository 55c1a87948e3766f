"""Dropout that is faster than PyTorch's on a CPU."""

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 2**16  # the probability is rounded to a multiple of 1 / LEVELS


def dropout(x: Tensor, probability: float) -> Tensor:
    """Sets each number of x to 0 with this probability, and divides the others by 1 - probability.

    `F.dropout` draws one random number for each number of x on one core of a CPU. Here one random number of 64 bits
    decides for four. Srivastava et al., JMLR 2014.
    """
    if x.device.type != "cpu":
        return F.dropout(x, probability)
    dropped_levels = min(round(probability * LEVELS), LEVELS - 1)
    words = -(-x.numel() // 4)  # rounded up
    random_words = torch.empty(words, dtype=torch.int64).random_(-(2**63), None)
    random_levels = random_words.view(torch.int16)[: x.numel()]  # from -LEVELS / 2 to LEVELS / 2 - 1
    kept = (random_levels >= dropped_levels - LEVELS // 2).view(x.shape)
    return x * kept * (LEVELS / (LEVELS - dropped_levels))
