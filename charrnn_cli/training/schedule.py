"""The learning rate as a function of progress."""

import math

from charrnn_cli.config import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int, progress: float) -> float:
    """The rate of step `step` (from 0) at `progress` (0 to 1) of the run.

    A linear warm-up over the first steps, times a half cosine that ends at 0 with the run (Loshchilov and Hutter,
    arXiv 1608.03983) where the schedule asks for it.
    """
    warmup = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    decay = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))) if settings.schedule == "cosine" else 1.0
    return settings.learning_rate * warmup * decay
