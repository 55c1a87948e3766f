"""The errors that a user can cause. A message says what was wrong, with the value, and what to type next.

CharrnnError            exit code 1
├── UsageError          invalid settings or arguments; exit code 2
├── TextError           a text that is unreadable or too short
├── RunError            a run, model or checkpoint that is missing or damaged, or that would be overwritten
├── DiskError           a file that the operating system did not let us read or write
├── DeviceError         a GPU that was asked for but cannot be used, or is out of memory
└── SelectionError      too few texts that meet the conditions

The library raises them; the command line catches them once. Any other exception is a bug and keeps its traceback.
A message names settings in backticks (`top_p`, `restart=True`); the command line turns those into flags.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal


class CharrnnError(Exception):
    """An error that a user can fix."""

    exit_code = 1
    silent: bool | None = None  # whether another process of the same training reports it; None: not known yet


class UsageError(CharrnnError):
    """Invalid settings or arguments."""

    exit_code = 2


class TextError(CharrnnError):
    """A text that is unreadable or too short."""


class RunError(CharrnnError):
    """A run, model or checkpoint that is missing or damaged, or that would be overwritten."""


class DiskError(CharrnnError):
    """A file or folder that the operating system did not let us read or write."""


class DeviceError(CharrnnError):
    """A device that was asked for but cannot be used, or that is out of memory."""


class SelectionError(CharrnnError):
    """Too few of the written texts met the conditions. `texts` has those that did."""

    def __init__(self, message: str, texts: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.texts = tuple(texts)


class CharrnnWarning(UserWarning):
    """What a user should know although the work continues."""


@contextmanager
def disk_errors(action: Literal["read", "write", "remove"], path: Path) -> Iterator[None]:
    """Turns an OSError inside the block into a DiskError: "cannot `action` `path`: reason"."""
    try:
        yield
    except BrokenPipeError:  # the reader of our output closed the pipe
        raise
    except OSError as error:
        message = f"cannot {action} {error.filename or path}: {error.strerror or error}."
        if action == "write":
            message += (
                " Everything saved before is intact. Check free space and permissions, then run the command again."
            )
        raise DiskError(message) from error
