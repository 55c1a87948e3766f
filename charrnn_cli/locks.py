"""Locks on files that the system releases when a process ends, however it ends."""

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Locks an open file, unless another process has locked it. Raises OSError if the file system cannot."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Locks an open file, unless another process has locked it. Raises OSError if the file system cannot."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


MARK = b"charrnn"  # the content of our lock files; others may have the same name
FOLDERS_CAN_BE_LOCKED = sys.platform != "win32"


def open_folder_lock(folder: Path) -> int:
    """A descriptor that stands for `folder` in `try_lock`. Where folders cannot be locked, it is a file beside it."""
    if FOLDERS_CAN_BE_LOCKED:
        return os.open(folder, os.O_RDONLY)
    folder.stat()  # a missing folder is an error here too
    return os.open(folder.with_name(f".{folder.name}.lock"), os.O_CREAT | os.O_RDWR)


def new_lock(path: Path) -> int | None:
    """Creates the file `path`, locks it, and returns its descriptor. None if another process was faster.

    Raises OSError if the file cannot be created.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    os.write(descriptor, MARK)
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        locked = try_lock(descriptor)
    except OSError:  # the file system has no locks: others cannot lock the file either, and leave it alone
        return descriptor
    if locked and path.exists():  # or a process that cleans up has removed it in between
        return descriptor
    os.close(descriptor)
    return None


def take_over(path: Path, may_be_empty: bool = False) -> int | None:
    """Locks the lock file that a process left. None if that process still runs, or if the file is not ours.

    A process that was killed just after it made the file left it empty. Raises FileNotFoundError if the file is
    missing.
    """
    marks = (MARK, b"") if may_be_empty else (MARK,)
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        raise
    except OSError:  # the file of another user, or not a file
        return None
    try:
        if try_lock(descriptor) and os.read(descriptor, len(MARK) + 1) in marks:
            return descriptor
    except OSError:  # the file system has no locks
        pass
    os.close(descriptor)
    return None
