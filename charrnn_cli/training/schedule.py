"""The learning rate as a function of progress."""

import math

from charrnn_cli.config import TrainingSettings


def learning_rate(
    settings: TrainingSettings, step: int, epoch: int, progress: float, cuts: int, recoveries: int = 0
) -> float:
    """The rate of step `step` in epoch `epoch` (both from 0) at `progress` (0 to 1) of the run, after `cuts`.

    A linear warm-up over the first steps, times what the schedule says: "cosine" and "linear" end at 0 with the run
    (half a cosine: Loshchilov and Hutter, arXiv 1608.03983); "epoch-decay" holds for `max_epoch` epochs and is
    multiplied by `lr_decay` in each one after (Zaremba et al., arXiv 1409.2329); "plateau" is so at each cut.
    Each recovery from an exploded loss halves it.
    """
    warmup = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    progress = min(progress, 1.0)
    match settings.schedule:
        case "cosine":
            share = 0.5 * (1 + math.cos(math.pi * progress))
        case "linear":
            share = 1 - progress
        case "epoch-decay":
            share = settings.lr_decay ** max(epoch + 1 - settings.max_epoch, 0)
        case "plateau":
            share = settings.lr_decay**cuts
        case "constant":
            share = 1.0
    return settings.learning_rate * warmup * share * 0.5**recoveries
