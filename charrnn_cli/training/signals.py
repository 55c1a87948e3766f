"""Signals that ask training to stop."""

import os
import signal
import threading
from collections.abc import Callable
from types import TracebackType

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, and a closed terminal; Windows has no SIGHUP


class Signals:
    """Notes a signal, so that training can stop after the step and save.

    A second signal does what it did before the training; with `before_exit`, it calls that and ends the process at
    once. It does neither if `patient` is set: torchrun passes on a signal that the terminal has already sent to each
    process. Outside of the main thread, signals are left as they are.
    """

    def __init__(self, patient: bool, before_exit: Callable[[], None] | None = None) -> None:
        self._patient = patient
        self._before_exit = before_exit
        self._received = 0
        self._asked = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for name in STOP_SIGNALS:
                if hasattr(signal, name):
                    number = getattr(signal, name)
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()

    @property
    def exit_code(self) -> int:
        """The exit code of the process: 0 without a signal, else 128 and its number, as in a shell."""
        return 128 + self._received if self._received else 0

    def stop(self) -> bool:
        """Whether a signal or a call asks to stop."""
        return self._asked or bool(self._received)

    def ask_to_stop(self) -> None:
        """Does what a first signal does."""
        self._asked = True

    def _receive(self, number: int, frame: object) -> None:
        if not self._received or self._patient:
            self._received = number
        elif self._before_exit:
            self._before_exit()
            os._exit(128 + number)  # every file is renamed when it is complete, so none is damaged
        else:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it was installed before
