"""Temporary folders for texts that can be read only once, such as standard input.

A folder is removed when its process ends. If the process was killed, the next one that needs such a folder removes it.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from charrnn_cli.errors import disk_errors
from charrnn_cli.locks import new_lock, take_over

SPOOL_NAME = re.compile("charrnn-[a-z0-9_]{8}")  # as `tempfile` makes them
SPOOL_LOCK = ".lock"  # the file in a folder that its process has locked


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A new temporary folder with a lock in it."""

    def __init__(self) -> None:
        super().__init__(prefix="charrnn-", ignore_cleanup_errors=True)
        while (lock := self._new_lock()) is None:
            super().cleanup()
            super().__init__(prefix="charrnn-", ignore_cleanup_errors=True)
        self._lock: int | None = lock

    def _new_lock(self) -> int | None:
        """The lock of the new folder; None if another process has removed the folder, which was still empty."""
        try:
            return new_lock(Path(self.name, SPOOL_LOCK))
        except FileNotFoundError:
            return None

    def cleanup(self) -> None:
        if self._lock is not None:
            with suppress(OSError):
                _remove_all_but_lock(Path(self.name))
            os.close(self._lock)
            self._lock = None
        super().cleanup()


def temporary_folder() -> TemporaryFolder:
    """A temporary folder, for texts that can be read only once. Removes those of killed processes. Raises DiskError."""
    with disk_errors("write", Path("the temporary folder")):
        for folder in _own_folders(Path(tempfile.gettempdir())):
            with suppress(OSError):
                _remove_if_abandoned(folder)
        return TemporaryFolder()


def _own_folders(parent: Path) -> Iterator[Path]:
    """The temporary folders of this user, of all charrnn processes."""
    with os.scandir(parent) as entries:
        for entry in entries:
            if SPOOL_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False) and _is_own(entry):
                yield Path(entry)


def _is_own(entry: os.DirEntry[str]) -> bool:
    """Whether a folder belongs to this user, and another process has not just removed it."""
    try:
        owner = entry.stat(follow_symlinks=False).st_uid
    except FileNotFoundError:
        return False
    return not hasattr(os, "getuid") or owner == os.getuid()


def _remove_if_abandoned(folder: Path) -> None:
    """Removes a temporary folder whose process has ended. Raises OSError if it has no lock and is not empty."""
    try:
        lock = take_over(folder / SPOOL_LOCK)
    except FileNotFoundError:  # killed before it had a lock, or after everything else was removed
        folder.rmdir()
        return
    if lock is not None:
        _remove_all_but_lock(folder)
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_all_but_lock(folder: Path) -> None:
    """Empties a folder. The lock goes last, so that another process can finish this if it is interrupted."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != SPOOL_LOCK:
            path.unlink(missing_ok=True)
