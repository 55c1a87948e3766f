"""Atomic writes and locks: files and folders appear complete under their final name, or not at all.

New content is written beside the final name, flushed to the disk, and renamed. A temporary name is `.NAME.TOKEN.tmp`
with a random token. While it is in use, its process holds a lock on the file `.NAME.TOKEN.lock`. The system releases
the lock when the process ends, so what a killed process left behind can be recognized and removed.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from charrnn_cli.errors import DiskError, RunError, disk_errors
from charrnn_cli.locks import new_lock, open_folder_lock, take_over, try_lock

TEMPORARY = ".tmp"  # ends the name of an unfinished file or folder
REPLACED = ".replaced"  # ends the name of an old folder while the new one takes its place
LOCK = ".lock"  # ends the name of the lock for both
LEFTOVER = re.compile(  # release 0.1 had the id of a process for a token, and no lock
    r"(\.(?P<name>.+)\.(?:[0-9]+|[0-9a-f]{8}))(?P<ending>\.tmp|\.replaced|\.lock)", re.DOTALL
)


def file_exists(path: Path) -> bool:
    """Whether `path` is a regular file. Raises DiskError if its folder cannot be read."""
    with disk_errors("read", path):
        return path.is_file()


def folder_exists(path: Path) -> bool:
    """Whether `path` is a folder. Raises DiskError if the folder above it cannot be read."""
    with disk_errors("read", path):
        return path.is_dir()


def file_size(path: Path) -> int:
    """The size of a file in bytes. Raises DiskError."""
    with disk_errors("read", path):
        return path.stat().st_size


def anything_exists(path: Path) -> bool:
    """Whether there is anything at `path`, such as a link to nothing. Raises DiskError."""
    with disk_errors("read", path):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def check_regular(path: Path) -> None:
    """Raises RunError unless `path` is a regular file. Opening a named pipe could wait forever. Raises DiskError."""
    with disk_errors("read", path):
        if not path.exists():
            raise RunError(f"{path} is missing.")
        if not path.is_file():
            raise RunError(f"{path} is damaged: it is not a regular file.")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` atomically. Raises DiskError."""
    write_files({path: data})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Writes several files, each atomically, and none before all of them are on the disk. Raises DiskError."""
    with ExitStack() as stack:
        temporaries = {}
        for path, data in contents.items():
            stack.enter_context(disk_errors("write", path))
            temporaries[path] = stack.enter_context(temporary_beside(path))
            with temporaries[path].open("wb") as file:
                file.write(data)
                flush(file)
        for path, temporary in temporaries.items():
            temporary.replace(path)


def write_json(path: Path, record: Any) -> None:
    """Writes `record` to `path` as JSON in UTF-8, atomically. Raises DiskError."""
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    write_bytes(path, text.encode("utf-8", "surrogatepass"))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises RunError, which names the file, if it is missing or damaged."""
    check_regular(path)
    with disk_errors("read", path):
        data = path.read_bytes()
    try:
        record = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: it is not valid JSON ({error}).") from error
    if not isinstance(record, dict):
        raise RunError(f"{path} is damaged: it does not contain a JSON object.")
    return record


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill. It becomes `path` if the block succeeds, and is removed if it fails.

    Raises DiskError.
    """
    with disk_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_beside(path) as temporary:
            temporary.mkdir()
            yield temporary
            _rename_over(temporary, path)


def _rename_over(new: Path, path: Path) -> None:
    """Renames the folder `new`, which has a temporary name, to `path`, and removes the folder that was there."""
    replaced = new.with_name(new.name.removesuffix(TEMPORARY) + REPLACED)
    if not path.exists():
        new.rename(path)
        return
    path.rename(replaced)
    try:
        new.rename(path)
    except OSError:
        replaced.rename(path)
        raise
    _remove(replaced)


def finish_renames(folder: Path, name: str | None = None) -> None:
    """Restores the folders inside `folder` whose replacement was killed between its two renames.

    With `name`, only the folder of that name and those that have a lock file. Raises DiskError.
    """
    for replaced, path in _leftovers(folder, name, REPLACED):
        with disk_errors("write", path), _owner_ended(replaced) as ended:
            if not ended:
                continue
            if path.exists():
                _remove(replaced)
                continue
            with suppress(FileNotFoundError):  # another process was faster
                replaced.rename(path)


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Removes the unfinished files and folders that killed processes left in `folder`.

    With `name`, only those for the file or folder of that name and those that have a lock file. Raises DiskError.
    """
    for leftover, _ in _leftovers(folder, name, TEMPORARY, LOCK):
        with disk_errors("remove", leftover), _owner_ended(leftover) as ended:
            if ended and leftover.suffix == TEMPORARY:
                _remove(leftover)


def _leftovers(folder: Path, name: str | None, *endings: str) -> list[tuple[Path, Path]]:
    """The paths inside `folder` with temporary names of some kinds, and the paths that they were meant to become.

    With `name`, only those for that path and those with a lock file. In the folder of a user, a similar name alone does
    not show that charrnn made a file.
    """
    with disk_errors("read", folder):
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
    matches = [(path, match) for path in paths if (match := LEFTOVER.fullmatch(path.name))]
    return [
        (path, path.with_name(match["name"]))
        for path, match in matches
        if match["ending"] in endings and (name in (None, match["name"]) or path.with_suffix(LOCK) in paths)
    ]


@contextmanager
def _owner_ended(leftover: Path) -> Iterator[bool]:
    """Whether the process that made `leftover` has ended. Then its lock is held for the block, and removed after it."""
    lock = leftover.with_suffix(LOCK)
    guards_nothing = not any(lock.with_suffix(ending).exists() for ending in (TEMPORARY, REPLACED))
    try:
        descriptor = take_over(lock, may_be_empty=guards_nothing)
    except FileNotFoundError:  # made by release 0.1, or its owner just removed it
        yield True
        return
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)
        lock.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks `folder` against other charrnn processes. Killing the process unlocks it.

    Raises RunError if another process holds the lock, DiskError.
    """
    with disk_errors("read", folder):
        descriptor = open_folder_lock(folder)
    try:
        with disk_errors("read", folder):
            free = try_lock(descriptor)
        if not free:
            raise RunError(f"another charrnn process is using {folder}. Wait until it ends, or stop it with Ctrl-C.")
        yield
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Removes a folder. Its name disappears at once, so that a half removed folder is never found. Raises DiskError."""
    with disk_errors("remove", path), temporary_beside(path) as temporary:
        path.rename(temporary)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` for the block, which may rename it to `path`. What is left at its end is removed.

    First removes what killed processes left beside it. Raises OSError.
    """
    with suppress(DiskError):
        remove_leftovers(path.parent, path.name)
    descriptor = None
    while descriptor is None:
        temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}{TEMPORARY}")
        lock = temporary.with_suffix(LOCK)
        descriptor = new_lock(lock)
    try:
        yield temporary
    finally:
        try:
            _remove(temporary)
        finally:
            os.close(descriptor)
            lock.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Removes a file, a link or a whole folder. Contents of a folder that cannot be removed stay."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def flush(file: IO[bytes]) -> None:
    """Waits until everything written to `file` is on the disk."""
    file.flush()
    os.fsync(file.fileno())
