"""The bookkeeping between the steps of training: counters, time, reports, validations and checkpoints."""

import math
from collections.abc import Callable, Iterator

from charrnn_cli.network.device import watched_threads
from charrnn_cli.network.loss import Score, perplexity
from charrnn_cli.threads import Threads
from charrnn_cli.training.clock import Clock
from charrnn_cli.training.evaluation import evaluate
from charrnn_cli.training.events import End, Event, Report, Saved, ThreadChange, Validating, Validation
from charrnn_cli.training.pace import Pace
from charrnn_cli.training.saving import recover, write_checkpoint
from charrnn_cli.training.schedule import learning_rate
from charrnn_cli.training.setup import Setup

DIVERGED_STEPS = 5  # steps in a row without a finite loss: training has diverged


class Bookkeeping:
    """Counts the steps of training and does what is due between them. All ranks make the same calls.

    The clock is read after steps and after each pause, together with the request to stop. Between two readings
    neither changes, so the order in which the methods ask for them does not matter.
    """

    def __init__(self, setup: Setup, windows: int, stop: Callable[[], bool]) -> None:
        self._setup = setup
        self._settings = setup.config.training
        self._state = setup.state
        self._windows = windows  # per epoch
        self._threads = self._watched_threads()
        self._threads_changed = False
        self._clock = Clock(setup.state, stop, self._threads)
        self._pace = self._new_pace()
        self._counts_each_step = setup.state.device.type == "cpu"  # counting waits for a GPU

    @property
    def finished(self) -> bool:
        """Whether the run has reached its limit or run out of patience."""
        counters = self._state.counters
        at_limit = self._pace.progress() >= 1 and counters.step > 0
        return at_limit or counters.out_of_patience(self._settings.patience)

    @property
    def ended(self) -> bool:
        """Whether no step is left: the run is finished and validated, or was asked to stop."""
        return self._clock.stopping or self._complete

    @property
    def _complete(self) -> bool:
        return self.finished and not self._pace.validation_due(finished=True)

    def learning_rate(self) -> float:
        return learning_rate(self._settings, self._state.counters, self._pace.progress())

    def advance(self) -> None:
        """Counts a step and reads the clock."""
        self._state.advance(self._windows)
        if self._counts_each_step:
            self._state.count()
        self._threads_changed = self._clock.after_step()

    def report(self, learning_rate: float) -> Iterator[Event]:
        """Reports the steps since the last report, if a report is due, and a change of the number of threads."""
        if self._threads_changed:
            yield ThreadChange(self._state.counters.step, self._threads.number, self._state.counters.seconds)
        counters, pace, settings = self._state.counters, self._pace, self._settings
        if not pace.report_due(self.finished):
            return
        self._pause()
        if not counters.loss_steps:
            return
        loss, seconds_per_step = self._state.take_loss(), self._clock.seconds_per_step()
        self._clock.restart_timing()
        yield Report(
            step=counters.step,
            epoch=pace.epoch(),
            progress=None if settings.bound is None else min(pace.progress(), 1.0),
            loss=loss,
            perplexity=perplexity(loss),
            rate=learning_rate,
            skipped=counters.skipped,
            seconds_per_batch=seconds_per_step,
            tokens_per_second=settings.batch_size * settings.seq_length / seconds_per_step,
            seconds=counters.seconds,
            seconds_left=pace.seconds_left(),
        )
        pace.reported()
        self._clock.tick()  # the time that the caller took is not part of a step

    def validate(self) -> Iterator[Event]:
        """Computes the validation loss, if it is due. A request to stop ends this early, without a result."""
        valid, state = self._setup.data.valid, self._state
        if valid is None or not self._pace.validation_due(self.finished):
            return
        self._pause()
        yield Validating(state.counters.step, len(valid) - 1, state.counters.seconds)
        calibrate, threads = self._settings.calibrate, self._watched_threads()
        score = evaluate(state.model, valid, state.device, calibrate, self._clock.after_window, state.ranks, threads)
        if score is not None:
            yield self._validated(score)
        self._clock.tick()

    def save(self) -> Iterator[Event]:
        """Saves a checkpoint, if one is due. If training has diverged, returns to the last checkpoint instead."""
        state = self._state
        is_best = state.counters.step == state.counters.best_step
        due = self._pace.checkpoint_due(at_once=self.finished or self._clock.stopping or is_best)
        if due:
            self._pause()
        if state.counters.skipped_in_row >= DIVERGED_STEPS or (due and not state.finite()):
            yield recover(self._setup.run, self._settings, state)
            self._clock.tick()
            self._pace = self._new_pace()
            self._clock.restart_timing()
            yield from self.validate()
            yield from self.save()
        elif due:
            yield self._saved()

    def end(self) -> End:
        self._threads.reset()
        counters = self._state.counters
        return End(counters.step, self._complete, counters.seconds)

    def _watched_threads(self) -> Threads:
        return watched_threads(self._state.device, self._settings.threads, self._state.ranks.size)

    def _new_pace(self) -> Pace:
        valid = self._setup.data.valid
        valid_tokens = 0 if valid is None else len(valid)
        return Pace(self._settings, self._state.counters, self._windows, valid_tokens)

    def _pause(self) -> None:
        """Before a pause: waits until a GPU has finished its steps, so that their time is not part of the pause."""
        self._state.count()
        self._clock.tick_after_steps()

    def _validated(self, score: Score) -> Validation:
        """Keeps the result of a validation."""
        counters = self._state.counters
        best = math.isfinite(score.loss) and (counters.best_loss is None or score.loss < counters.best_loss)
        counters.scale = score.scale
        counters.valid_step, counters.valid_loss = counters.step, score.loss
        counters.valid_progress = self._pace.progress()
        if best:
            counters.best_step, counters.best_loss = counters.step, score.loss
            counters.stalled = 0
        else:
            counters.stalled += 1
            if self._settings.schedule == "plateau":
                counters.cuts += 1
        return Validation(
            step=counters.step,
            epoch=self._pace.epoch(),
            valid_loss=score.loss,
            valid_bits=score.bits,
            valid_perplexity=score.perplexity,
            best=best,
            best_step=counters.best_step if counters.best_loss is not None else 0,
            seconds=counters.seconds,
            calibrated=self._setup.calibrated,
        )

    def _saved(self) -> Saved:
        counters = self._state.counters
        started = counters.seconds
        write_checkpoint(self._setup.run, self._settings, self._state, self._pace.epoch())
        self._clock.tick()
        self._pace.saved(counters.seconds - started)
        best = counters.best_step == counters.step
        return Saved(counters.step, best, self._pace.save_seconds, counters.seconds)
