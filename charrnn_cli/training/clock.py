"""The clock of training. It stands still between two ticks, so all ranks always see the same time."""

from collections.abc import Callable

from charrnn_cli.threads import Threads
from charrnn_cli.training.state import TrainingState


class Clock:
    """Moves `counters.seconds`, measures the time of steps, and asks all ranks whether to stop.

    Ranks decide by the time whether to validate, save or end. Because only `tick` moves it, to the same value on every
    rank, they all decide the same.
    """

    def __init__(self, state: TrainingState, stop: Callable[[], bool], threads: Threads) -> None:
        self._state = state
        self._threads = threads
        self._stop = stop
        self.stopping = state.ranks.synchronize(stop())
        self._read_at = state.ranks.shared_time()
        self.restart_timing()

    def tick(self) -> bool:
        """Moves the time, and returns whether any rank wants to stop. All ranks must call it together."""
        self.stopping = self._state.ranks.synchronize(self._stop())
        read_at = self._state.ranks.shared_time()
        self._state.counters.seconds += read_at - self._read_at
        self._read_at = read_at
        self._threads.start()
        return self.stopping

    def tick_after_steps(self) -> bool:
        """Like `tick`, if the time since the last tick was spent on steps. Returns whether the threads changed."""
        before = self._state.counters.seconds
        changed = self._threads.stop()
        self.tick()
        self._seconds_of_steps += self._state.counters.seconds - before
        return changed

    def restart_timing(self) -> None:
        """Starts to measure the time of steps from here."""
        self._first_step = self._state.counters.step
        self._seconds_of_steps = 0.0

    def seconds_per_step(self) -> float:
        """The mean time of the steps since `restart_timing`; validations and checkpoints between them do not count."""
        return self._seconds_of_steps / (self._state.counters.step - self._first_step)
