"""The number of threads of a computation, which follows the load of the machine.

Threads that share a computation wait for each other. On a busy machine one of them often waits for a core, and all the
others wait for it, so that fewer threads compute faster.
"""

import os
import time
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

from charrnn_cli.machine import available_cores

BUSY = 0.8  # share of the elapsed time that the main thread computes; below it, the machine is busy
WINDOW_SECONDS = 0.5  # how long the share and the speed are measured, or one step if that takes longer
FIRST_RETRY, LONGEST_RETRY = 10.0, 120.0  # seconds until all threads are tried again
GAIN = 1.1  # how much faster all threads must be to stay


class Threads:
    """Watches the steps of a computation, and changes its number of threads between them.

    A step is what happens between `start` and `stop`. All steps should take about the same work. If the machine is
    busy, the number falls to one. From time to time all threads are tried again for a moment, and stay if that is
    faster.
    """

    def __init__(
        self,
        most: int,
        set_number: Callable[[int], object],
        clock: Callable[[], float] = time.perf_counter,
        computing: Callable[[], float] = time.thread_time,
    ) -> None:
        """`computing` is the processor time of the calling thread, in seconds."""
        self.number = self.most = most
        self._set_number = set_number
        self._clock, self._computing = clock, computing
        self._speeds: dict[int, float] = {}  # steps per second in the last window with each number
        self._retry_seconds = FIRST_RETRY
        self._retry_at = 0.0
        self._started, self._computed = clock(), computing()
        self._new_window()

    def reset(self) -> None:
        """Goes back to all threads."""
        if self.number != self.most:
            self._set(self.most)

    def start(self) -> None:
        self._started, self._computed = self._clock(), self._computing()

    def stop(self) -> bool:
        """Ends a step. Returns whether the number of threads has changed."""
        if self.most == 1:
            return False
        now = self._clock()
        self._steps += 1
        self._seconds += now - self._started
        self._computing_seconds += self._computing() - self._computed
        if self._seconds < WINDOW_SECONDS:
            return False
        before = self.number
        self._choose(now, self._steps / self._seconds, self._computing_seconds / self._seconds)
        self._new_window()
        return self.number != before

    def _choose(self, now: float, speed: float, share: float) -> None:
        """The number for the next window, by the speed of this one and the share of it that was computing."""
        self._speeds[self.number] = speed
        speed_of_one, speed_of_all = self._speeds.get(1, 0.0), self._speeds.get(self.most, 0.0)
        all_are_faster = speed_of_all >= GAIN * speed_of_one > 0
        if self.number == 1:
            if all_are_faster or now >= self._retry_at:
                self._set(self.most)
        elif share >= BUSY:
            self._speeds.clear()
            self._retry_seconds = FIRST_RETRY
        elif not all_are_faster:
            self._retry_at = now + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY)
            self._set(1)

    def _set(self, number: int) -> None:
        self.number = number
        self._set_number(number)

    def _new_window(self) -> None:
        self._steps = 0
        self._seconds = self._computing_seconds = 0.0


def steady_threads() -> Threads:
    """A number of threads that does not change."""
    return Threads(1, lambda number: None)


class FixedBlasThreads(Threads):
    """Sets a fixed number of threads for NumPy's matrix products during each step, and restores it after the step.

    The last bits of a product depend on the number. BLAS has one number for the whole process, so it also applies to
    what other Python threads compute during the step.
    """

    _lock = Lock()
    _steps_running = 0
    _before: tuple[int, ...] = ()  # of each library

    def __init__(self, number: int) -> None:
        super().__init__(1, lambda number: None)
        self._fixed = number

    def start(self) -> None:
        with FixedBlasThreads._lock:
            if FixedBlasThreads._steps_running == 0:
                FixedBlasThreads._before = tuple(library.get_num_threads() for library in _openblas())
            FixedBlasThreads._steps_running += 1
            _limit_blas(self._fixed)

    def stop(self) -> bool:
        with FixedBlasThreads._lock:
            FixedBlasThreads._steps_running -= 1
            if FixedBlasThreads._steps_running == 0:
                for library, number in zip(_openblas(), FixedBlasThreads._before, strict=True):
                    library.set_num_threads(number)
        return False


def blas_threads(number: int | None = None) -> Threads:
    """The threads of NumPy's matrix products, whose number follows the load, or is fixed if a `number` is passed."""
    if number is not None:
        return FixedBlasThreads(number)
    environment = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    return Threads(int(environment) if environment.isdecimal() else available_cores(), _limit_blas)


def _limit_blas(number: int) -> None:
    for library in _openblas():
        library.set_num_threads(number)


@cache
def _openblas() -> list[Any]:
    """The loaded OpenBLAS libraries; NumPy has other ones on some systems, and they stay as they are."""
    from threadpoolctl import ThreadpoolController  # only where it is needed: it looks at every loaded library

    libraries: list[Any] = ThreadpoolController().select(internal_api="openblas").lib_controllers
    return libraries
