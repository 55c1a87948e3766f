"""The progress of a run: the numbers that `training.json` stores with each checkpoint."""

from dataclasses import dataclass


@dataclass
class Counters:
    """The progress of a run."""

    step: int = 0  # optimizer updates so far
    epoch: int = 0  # complete epochs
    window: int = 0  # the next window of this epoch
    seconds: float = 0.0  # of training, without the time between two commands; `Clock` moves it
    loss_steps: int = 0  # steps since the last report, without skipped ones
    train_loss: float | None = None  # of the last report
    valid_loss: float | None = None  # of the last validation
    valid_step: int = 0  # the step of the last validation
    valid_progress: float = 0.0  # the progress of the run at the last validation
    best_loss: float | None = None  # the lowest validation loss
    best_step: int = 0  # its step
    stalled: int = 0  # validations since the best one
    scale: float = 1.0  # of the logits, fitted by the last validation
    cuts: int = 0  # how often the schedule "plateau" has lowered the learning rate
    skipped: int = 0  # steps whose loss or gradients were not finite
    skipped_in_row: int = 0  # the same, in a row up to now
    recoveries: int = 0  # how often training has diverged; each time halves the learning rate

    def advance(self, windows: int) -> bool:
        """Counts a step in an epoch of this many windows, and says whether the step ended the epoch."""
        self.step += 1
        self.window += 1
        if self.window < windows:
            return False
        self.epoch += 1
        self.window = 0
        return True

    def done(self, bound: str) -> float:
        """How many whole "epochs", "steps" or "minutes" the run has trained."""
        return {"epochs": self.epoch, "steps": self.step, "minutes": self.seconds / 60}[bound]

    def out_of_patience(self, patience: int | None) -> bool:
        """Whether the last `patience` validations brought no better loss."""
        return patience is not None and self.stalled >= patience

    def renew_patience(self) -> None:
        """Forgets the validations without a better loss, and the lower rate of the schedule "plateau"."""
        self.stalled = self.cuts = 0
