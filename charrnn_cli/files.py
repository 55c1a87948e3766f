"""Files and folders on disk: written beside their final name, flushed, and renamed, so whole or not at all."""

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

TEMPORARY = ".tmp"  # the end of a name that is not final yet
REPLACED = ".replaced"  # the end of a name that is final no longer


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all. Raises DiskError."""
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
    """Writes `record` as JSON in UTF-8, whole or not at all. Raises DiskError."""
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    write_bytes(path, text.encode("utf-8", "surrogatepass"))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises RunError, naming the file, where there is none."""
    if not path.exists():
        raise RunError(f"{path} is missing.")
    if not path.is_file():
        raise RunError(f"{path} is damaged: it is no file.")
    with disk_errors("read", path):
        data = path.read_bytes()
    try:
        record = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: it is no JSON ({error}).") from error
    if not isinstance(record, dict):
        raise RunError(f"{path} is damaged: it holds no JSON object.")
    return record


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `path` when the block ends well and vanishes when it does not.

    Raises DiskError.
    """
    temporary = temporary_beside(path)
    with disk_errors("write", path):
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            yield temporary
            rename_over(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def rename_over(new: Path, path: Path) -> None:
    """Renames the folder `new` to `path`, in the place of what is there."""
    replaced = path.with_name(f".{path.name}.{os.getpid()}{REPLACED}")
    if path.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        path.rename(replaced)
    new.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)


def finish_renames(folder: Path) -> None:
    """Mends what a kill between the two renames of `rename_over` left in `folder`: the old state comes back."""
    for replaced in folder.glob(f".*.*{REPLACED}"):
        name, _, owner = replaced.name[1:].removesuffix(REPLACED).rpartition(".")
        path = replaced.with_name(name)
        if _alive(owner):
            continue
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            with disk_errors("write", path):
                replaced.rename(path)


def remove_leftovers(folder: Path) -> None:
    """Removes what processes that are no longer alive left unfinished in `folder`."""
    for path in folder.glob(f".*.*{TEMPORARY}"):
        if not _alive(path.name.removesuffix(TEMPORARY).rpartition(".")[2]):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other charrnn processes from working on `folder`, where the system can lock one; a kill unlocks it.

    Raises RunError where another one is at work there.
    """
    if fcntl is None:
        yield
        return
    with disk_errors("read", folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"another charrnn is working on {folder}: wait for it, or stop it with Ctrl-C.") from error
        yield
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Removes a folder: gone under its name at once, never half there."""
    temporary = temporary_beside(path)
    with disk_errors("remove", path):
        path.rename(temporary)
    shutil.rmtree(temporary, ignore_errors=True)


def temporary_beside(path: Path) -> Path:
    """A name beside `path` that says who works on it."""
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")


def flush(file: IO[bytes]) -> None:
    """Waits until what was written to `file` is on the disk itself."""
    file.flush()
    os.fsync(file.fileno())


def _alive(process: str) -> bool:
    if not process.isdecimal() or os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    if int(process) == os.getpid():  # which has nothing unfinished while it looks
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
