"""What can go wrong for a user. Every message says what was wrong and what to type next.

CharrnnError            exit code 1
├── UsageError          flags or arguments that cannot be; exit code 2
├── TextError           a text that cannot be read or is too short
├── RunError            a run, model or checkpoint that is missing, in the way or damaged
├── DiskError           a file that the system would not let us read or write
└── DeviceError         a GPU that is asked for and not there

Raised by the library, caught once by the command line. Anything else is a bug and keeps its traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CharrnnError(Exception):
    """A mistake or a mishap that its user can mend."""

    exit_code = 1


class UsageError(CharrnnError):
    """Flags or arguments that cannot be."""

    exit_code = 2


class TextError(CharrnnError):
    """A text that cannot be read, or is too short for what is asked."""


class RunError(CharrnnError):
    """A run, model or checkpoint that is missing, in the way or damaged."""


class DiskError(CharrnnError):
    """A file or folder that the system would not let us read or write."""


class DeviceError(CharrnnError):
    """A GPU that is asked for and not there."""


@contextmanager
def disk_errors(doing: str, path: Path) -> Iterator[None]:
    """Turns an OSError of the block into a DiskError: "cannot `doing` `path`: reason"."""
    try:
        yield
    except BrokenPipeError:  # the reader of our output has enough
        raise
    except OSError as error:
        where = error.filename or path
        reason = error.strerror or str(error)
        advice = "What was saved before is whole; mend this (free space, permissions), then type the command again."
        raise DiskError(f"cannot {doing} {where}: {reason}.{f' {advice}' if doing == 'write' else ''}") from error
