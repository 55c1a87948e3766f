"""The clock of training. It stands still between two ticks, so all ranks always see the same time."""

from collections.abc import Callable

from charrnn_cli.threads import Threads
from charrnn_cli.training.state import TrainingState

AGREEMENT_SECONDS = 0.2  # between two ticks of several ranks, which wait for each other then


class Clock:
    """Moves `counters.seconds`, measures the time of steps, and asks all ranks whether to stop.

    Ranks decide by the time whether to report, save or end. Because only a tick moves it, to the same value on every
    rank, they all decide the same. A single process ticks after every step, several ranks after as many as take about
    AGREEMENT_SECONDS.
    """

    def __init__(self, state: TrainingState, stop: Callable[[], bool], threads: Threads) -> None:
        self._state = state
        self._threads = threads
        self._stop = stop
        self._steps, self._windows = _Interval(state.ranks.size), _Interval(state.ranks.size)
        self.stopping = state.ranks.synchronize(stop())
        self._read_at = state.ranks.shared_time()
        self.restart_timing()

    def tick(self) -> float:
        """Moves the time, by the seconds that it returns, and asks whether to stop. All ranks must call it together."""
        self.stopping = self._state.ranks.synchronize(self._stop())
        read_at = self._state.ranks.shared_time()
        passed, self._read_at = read_at - self._read_at, read_at
        self._state.counters.seconds += passed
        self._threads.start()
        return passed

    def tick_after_steps(self) -> None:
        """Like `tick`, if the time since the last tick was spent on steps."""
        passed = self.tick()
        self._seconds_of_steps += passed
        self._steps.restart(passed)

    def after_step(self) -> bool:
        """Ticks if it is time to. Returns whether the threads changed."""
        changed = self._threads.stop()
        if self._steps.is_over():
            self.tick_after_steps()
        return changed

    def after_window(self) -> bool:
        """Ticks if it is time to, in a validation. Returns whether any rank wants to stop."""
        if self._windows.is_over():
            self._windows.restart(self.tick())
        return self.stopping

    def restart_timing(self) -> None:
        """Starts to measure the time of steps from here."""
        self._first_step = self._state.counters.step
        self._seconds_of_steps = 0.0

    def seconds_per_step(self) -> float:
        """The mean time of the steps since `restart_timing`; validations and checkpoints between them do not count."""
        return self._seconds_of_steps / (self._state.counters.step - self._first_step)


class _Interval:
    """Says after which of many equal pieces of work to tick. It counts them, because each rank has its own clock."""

    def __init__(self, ranks: int) -> None:
        self._alone = ranks == 1
        self._length = 1
        self._count = 0

    def is_over(self) -> bool:
        """Counts a piece of work."""
        self._count += 1
        return self._alone or self._count >= self._length

    def restart(self, seconds: float) -> None:
        """Sets the next length, at most twice that of this time, from the time of the work since the last tick."""
        if self._count:
            fitting = int(self._count * AGREEMENT_SECONDS / max(seconds, 1e-9))
            self._length = max(1, min(fitting, 2 * self._count))
        self._count = 0
