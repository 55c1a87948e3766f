"""The validation loss of a model in training."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn_cli.network.loss import Score, score_streams
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.threads import Threads

LEAST_CALIBRATION = 20_000  # tokens; on a shorter text, the loss is the one without a scale
LOGIT_SCALES = tuple(k / 100 for k in range(70, 111, 5))  # among which a calibration chooses


def evaluate(
    model: LanguageModel,
    tokens: NDArray[np.integer[Any]],
    device: torch.device,
    calibrate: bool = False,
    stop: Callable[[], bool] = lambda: False,
    ranks: Ranks = ALONE,
    threads: Threads | None = None,
) -> Score | None:
    """The score of a model on tokens (N,), which are N - 1 targets; None if `stop()` was true before the end.

    `calibrate` chooses the best of several scales for the logits, which is one over the softmax temperature: a model
    that fits its text too well is too sure of itself on other text (Guo et al., arXiv 1706.04599; Melis et al., arXiv
    1707.05589). On a short text, choosing the scale makes the loss too low, so the loss is the one without a scale.
    """
    scales = LOGIT_SCALES if calibrate else (1.0,)
    scoring = score_streams(model, tokens, device, scales=scales, ranks=ranks, threads=threads)
    while True:
        try:
            next(scoring)
        except StopIteration as end:
            score: Score = end.value
            too_short = calibrate and not is_long_enough(score.tokens)
            return dataclasses.replace(score, loss=score.unscaled_loss) if too_short else score
        if stop():
            scoring.close()
            return None


def is_long_enough(tokens: int) -> bool:
    """Whether a loss on this many tokens counts with a scale that was chosen on them."""
    return tokens >= LEAST_CALIBRATION
