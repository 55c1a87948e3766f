"""The learning rate. To add a schedule, add its name in config.py and an entry in `SCHEDULES`."""

import math
from collections.abc import Callable

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.counters import Counters


def learning_rate(settings: TrainingSettings, counters: Counters, progress: float) -> float:
    """The learning rate of the next step, at `progress` (0 to 1) of the run.

    The peak rate, times a linear warm-up, times the factor of the schedule, halved each time that training diverged.
    """
    warmup = min(1.0, (counters.step + 1) / settings.warmup) if settings.warmup else 1.0
    factor = SCHEDULES[settings.schedule](settings, counters, min(progress, 1.0))
    return settings.learning_rate * warmup * factor * 0.5**counters.recoveries


def _cosine(settings: TrainingSettings, counters: Counters, progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, arXiv 1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def _linear(settings: TrainingSettings, counters: Counters, progress: float) -> float:
    """A line from 1 to 0."""
    return 1 - progress


def _constant(settings: TrainingSettings, counters: Counters, progress: float) -> float:
    return 1.0


def _epoch_decay(settings: TrainingSettings, counters: Counters, progress: float) -> float:
    """1 for `max_epoch` epochs, then lower by `lr_decay` in each epoch (Zaremba et al., arXiv 1409.2329)."""
    return settings.lr_decay ** max(counters.epoch + 1 - settings.max_epoch, 0)


def _plateau(settings: TrainingSettings, counters: Counters, progress: float) -> float:
    """Lower by `lr_decay` after each validation without a better loss."""
    return settings.lr_decay**counters.cuts


SCHEDULES: dict[str, Callable[[TrainingSettings, Counters, float], float]] = {
    "cosine": _cosine,
    "linear": _linear,
    "constant": _constant,
    "epoch-decay": _epoch_decay,
    "plateau": _plateau,
}
