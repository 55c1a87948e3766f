"""When to report, to validate and to save, and how much of the run is done."""

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.counters import Counters

REPORT_SECONDS = 1.0  # between two reports; a report waits for a GPU
VALIDATION_COST = 7  # trained tokens per token of a validation, which then takes about 5 % of the time
VALIDATION_STEPS = 1000  # a long run validates at least once in this many steps
VALIDATIONS = 10  # a short run validates at most this many times
PLATEAU_EPOCHS = 0.5  # a run whose end or rate depends on it validates after this many epochs, or VALIDATION_STEPS
ROUNDING = 0.999  # progress is a sum of rounded shares: a tenth of a run may come out slightly smaller
SAVE_SECONDS = 30.0  # the shortest time between two checkpoints
SAVE_COST = 50  # and at least this many times as long as saving takes: 2 % of the time


class Pace:
    """The rules for what is due. They read the counters only, so that they say the same on every rank.

    Validations, and checkpoints every N steps, depend on the steps. Reports, and checkpoints that are as frequent as
    they are cheap, depend on the time, which has no effect on the weights.
    """

    def __init__(self, settings: TrainingSettings, counters: Counters, windows: int, valid_tokens: int) -> None:
        self.settings = settings
        self.counters = counters
        self.windows = windows  # per epoch
        self.valid_tokens = valid_tokens
        self.save_seconds = 0.0  # of the last checkpoint
        self._saved_state = (counters.step, counters.valid_step)
        self._saved_at = self._reported_at = counters.seconds
        self._start = (counters.seconds, self.progress())

    def epoch(self) -> float:
        """The number of epochs so far, with the share of the current one."""
        return self.counters.epoch + self.counters.window / self.windows

    def progress(self) -> float:
        """The share of the run that is done, 1 or more at its end; 0 if nothing limits the run."""
        if self.settings.bound is None:
            return 0.0
        bound, amount = self.settings.bound
        return (self.epoch() if bound == "epochs" else self.counters.done(bound)) / amount

    def seconds_left(self) -> float | None:
        """The time to the end of the run, at the speed since this command started; None if it is not known yet."""
        if self.settings.minutes is not None:
            return 60 * self.settings.minutes - self.counters.seconds
        start_seconds, start_progress = self._start
        done = self.progress() - start_progress
        if done <= 0:
            return None
        return (1 - self.progress()) * (self.counters.seconds - start_seconds) / done

    def report_due(self, finished: bool) -> bool:
        """Whether to report: about once a second, and after the last step."""
        return finished or self.counters.seconds - self._reported_at >= REPORT_SECONDS

    def reported(self) -> None:
        """Notes that a report was made."""
        self._reported_at = self.counters.seconds

    def validation_due(self, finished: bool) -> bool:
        """Whether to validate: at the end, and before it as often as validations cost little time."""
        steps = self.counters.step - self.counters.valid_step
        if not steps or not self.valid_tokens:
            return False
        if finished:
            return True
        if self.settings.schedule == "epoch-decay":  # the learning rate changes with the epoch
            return self.counters.window == 0
        cheap = steps * self.settings.batch_size * self.settings.seq_length >= VALIDATION_COST * self.valid_tokens
        return cheap and (steps >= VALIDATION_STEPS or self._has_progressed(steps))

    def _has_progressed(self, steps: int) -> bool:
        """Whether the run is far enough from its last validation for another one."""
        if self.settings.bound is None or self.settings.schedule == "plateau":
            return steps >= PLATEAU_EPOCHS * self.windows
        return self.progress() - self.counters.valid_progress > ROUNDING / VALIDATIONS

    def checkpoint_due(self, at_once: bool) -> bool:
        """Whether to save: `at_once`, else every `checkpoint_every` steps or as often as it is cheap.

        Never twice in the same state.
        """
        if (self.counters.step, self.counters.valid_step) == self._saved_state:
            return False
        if at_once:
            return True
        if self.settings.checkpoint_every is not None:
            return self.counters.step % self.settings.checkpoint_every == 0
        return self.counters.seconds - self._saved_at >= max(SAVE_SECONDS, SAVE_COST * self.save_seconds)

    def saved(self, seconds: float) -> None:
        """Notes that a checkpoint was written, which took this long."""
        self._saved_state = (self.counters.step, self.counters.valid_step)
        self._saved_at = self.counters.seconds
        self.save_seconds = seconds
