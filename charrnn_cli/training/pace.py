"""When to report, to validate, to save and to end."""

import time
from collections.abc import Callable

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.state import Numbers

REPORT_TOKENS = 10_000
GPU_REPORTS = 50  # times fewer reports on a GPU: each one waits for it
VALIDATION_COST = 7  # trained tokens for each held-out token: validation then takes about 5 % of the time
VALIDATION_STEPS = 1000  # long runs validate this often at least
VALIDATIONS = 10  # short runs validate this often at most
UNBOUNDED_EPOCHS = 0.5  # what nothing bounds validates after so many epochs, or VALIDATION_STEPS
SAVE_SECONDS = 30.0  # between two checkpoints at least
SAVE_COST = 50  # times what a save takes pass between two, at least: 2 % of the time


class Pace:
    """The clock of a run and the rules for what is due. Only the rule for checkpoints looks at the time."""

    def __init__(
        self,
        settings: TrainingSettings,
        numbers: Numbers,
        windows: int,
        valid_tokens: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings = settings
        self.numbers = numbers
        self.windows = windows  # of an epoch
        self.valid_tokens = valid_tokens
        self.save_seconds = 0.0  # what the last checkpoint took
        self._saved = (numbers.step, numbers.valid_step)
        self._clock = clock
        self._started = clock() - numbers.seconds
        self._saved_at = numbers.seconds
        self._began = (numbers.seconds, self.progress())
        self.lap()

    def seconds(self) -> float:
        """Of training, all sittings together."""
        return self._clock() - self._started

    def lap(self) -> None:
        """Begins to measure the time of steps anew."""
        self._lap_step, self._lap_at = self.numbers.step, self.seconds()

    def seconds_per_batch(self) -> float:
        """The mean time of a step since the last `lap`."""
        return (self.seconds() - self._lap_at) / (self.numbers.step - self._lap_step)

    def epoch(self) -> float:
        """Epochs that are over, and the share of this one."""
        return self.numbers.epoch + self.numbers.window / self.windows

    def progress(self) -> float:
        """The share of the run that is over; 1 and more: all of it; 0 where nothing bounds it."""
        if self.settings.bound is None:
            return 0.0
        bound, amount = self.settings.bound
        done = {"epochs": self.epoch(), "steps": self.numbers.step, "minutes": self.seconds() / 60}
        return done[bound] / amount

    def report_steps(self, on_gpu: bool) -> int:
        """Steps from one report to the next."""
        tokens = self.settings.batch_size * self.settings.seq_length
        return -(-REPORT_TOKENS // tokens) * (GPU_REPORTS if on_gpu else 1)

    def seconds_left(self) -> float | None:
        """Until the end of the run, at the pace of this sitting; None where nobody knows yet."""
        if self.settings.minutes is not None:
            return 60 * self.settings.minutes - self.seconds()
        seconds, progress = self._began
        done = self.progress() - progress
        return (1 - self.progress()) * (self.seconds() - seconds) / done if done > 0 else None

    def validation_due(self, finished: bool) -> bool:
        """At the end, and on the way as often as it is worth its time."""
        steps = self.numbers.step - self.numbers.valid_step
        if not steps or not self.valid_tokens:
            return False
        if self.settings.schedule == "epoch-decay" and not finished:  # the rate changes with the epoch
            return self.numbers.window == 0
        worth = steps * self.settings.batch_size * self.settings.seq_length >= VALIDATION_COST * self.valid_tokens
        if self.settings.bound is None:
            further = steps >= UNBOUNDED_EPOCHS * self.windows
        else:
            further = self.progress() - self.numbers.valid_progress > 0.999 / VALIDATIONS
        return finished or (worth and (further or steps >= VALIDATION_STEPS))

    def checkpoint_due(self, at_once: bool) -> bool:
        """At once where that is asked for, else every `checkpoint_every` steps or as often as is cheap."""
        if (self.numbers.step, self.numbers.valid_step) == self._saved:
            return False
        if self.settings.checkpoint_every is not None:
            return at_once or self.numbers.step % self.settings.checkpoint_every == 0
        return at_once or self.seconds() - self._saved_at >= max(SAVE_SECONDS, SAVE_COST * self.save_seconds)

    def saved(self, seconds: float) -> None:
        """Notes that a checkpoint was written, and what it took."""
        self._saved, self._saved_at = (self.numbers.step, self.numbers.valid_step), self.seconds()
        self.save_seconds = seconds
