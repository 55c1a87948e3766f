"""Signals that ask training to stop."""

import os
import signal
import threading
from collections.abc import Callable
from types import TracebackType

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, and a closed terminal; Windows has no SIGHUP


class Signals:
    """Notes a signal, so that training can stop after the step and save. A second signal ends the process at once.

    It does not if `patient` is set: torchrun passes on a signal that the terminal has already sent to each process.
    Before the process ends, `before_exit` is called. Outside of the main thread, signals are left as they are.
    """

    def __init__(self, patient: bool, before_exit: Callable[[], None]) -> None:
        self._patient = patient
        self._before_exit = before_exit
        self._received = 0
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for name in STOP_SIGNALS:
                if hasattr(signal, name):
                    number = getattr(signal, name)
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it was installed before

    @property
    def exit_code(self) -> int:
        """The exit code of the process: 0 without a signal, else 128 and its number, as in a shell."""
        return 128 + self._received if self._received else 0

    def stop(self) -> bool:
        """Whether a signal asks to stop."""
        return bool(self._received)

    def _receive(self, number: int, frame: object) -> None:
        if self._received and not self._patient:
            self._before_exit()
            os._exit(128 + number)  # every file is renamed when it is complete, so none is damaged
        self._received = number
