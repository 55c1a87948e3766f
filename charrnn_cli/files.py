"""Atomic writes and locks: files and folders appear complete under their final name, or not at all.

New content is written beside the final name, flushed to the disk, and renamed. Temporary names contain the id of the
process that uses them, so that what a killed process left behind can be recognized and removed.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from charrnn_cli.errors import RunError, disk_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".tmp"  # ends the name of an unfinished file or folder
REPLACED = ".replaced"  # ends the name of an old folder while the new one takes its place


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


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` atomically. Raises DiskError."""
    temporary = temporary_beside(path)
    with disk_errors("write", path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                flush(file)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, record: Any) -> None:
    """Writes `record` to `path` as JSON in UTF-8, atomically. Raises DiskError."""
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    write_bytes(path, text.encode("utf-8", "surrogatepass"))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises RunError, which names the file, if it is missing or damaged."""
    with disk_errors("read", path):
        if not path.exists():
            raise RunError(f"{path} is missing.")
        if not path.is_file():
            raise RunError(f"{path} is damaged: it is not a regular file.")
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
    temporary = temporary_beside(path)
    with disk_errors("write", path):
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            yield temporary
            _rename_over(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _rename_over(new: Path, path: Path) -> None:
    """Renames the folder `new` to `path`, and removes the folder that was there."""
    replaced = path.with_name(f".{path.name}.{os.getpid()}{REPLACED}")
    if path.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        path.rename(replaced)
    new.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)


def finish_renames(folder: Path) -> None:
    """Restores the folders inside `folder` whose replacement was killed between its two renames. Raises DiskError."""
    for replaced, process in _temporary_paths(folder, REPLACED):
        path = replaced.with_name(replaced.name[1:].removesuffix(f".{process}{REPLACED}"))
        if _is_alive(process):
            continue
        with disk_errors("write", path):
            if path.exists():
                shutil.rmtree(replaced, ignore_errors=True)
            else:
                replaced.rename(path)


def remove_leftovers(folder: Path) -> None:
    """Removes the unfinished files and folders of processes that no longer run. Raises DiskError."""
    for path, process in _temporary_paths(folder, TEMPORARY):
        if _is_alive(process):
            continue
        with disk_errors("remove", path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _temporary_paths(folder: Path, ending: str) -> list[tuple[Path, str]]:
    """The paths inside `folder` with that kind of temporary name, and the process id in each name."""
    with disk_errors("read", folder):
        paths = list(folder.glob(f".*.*{ending}"))
    return [(path, path.name.removesuffix(ending).rpartition(".")[2]) for path in paths]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks `folder` against other charrnn processes, where the system has such locks; a killed process unlocks it.

    Raises RunError if another process holds the lock, DiskError.
    """
    if fcntl is None:
        yield
        return
    with disk_errors("read", folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    with disk_errors("read", folder):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"another charrnn process is using {folder}. Wait until it ends, or stop it with Ctrl-C."
            ) from error


def remove_folder(path: Path) -> None:
    """Removes a folder. Its name disappears at once, so that a half removed folder is never found. Raises DiskError."""
    temporary = temporary_beside(path)
    with disk_errors("remove", path):
        path.rename(temporary)
    shutil.rmtree(temporary, ignore_errors=True)


def temporary_beside(path: Path) -> Path:
    """A temporary name beside `path`, with the id of this process."""
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")


def flush(file: IO[bytes]) -> None:
    """Waits until everything written to `file` is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _is_alive(process: str) -> bool:
    """Whether the process with that id, from a temporary name, may still use its files."""
    if not process.isdecimal() or os.name == "nt":  # on Windows, os.kill with signal 0 sends Ctrl-C
        return True
    if int(process) == os.getpid():  # this process has no unfinished files when it asks
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
