"""Where texts come from: files, folders, archives and standard input. Gives their unpacked bytes in chunks."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from charrnn_cli.errors import TextError, UsageError, disk_errors
from charrnn_cli.text.archives import OpenArchive, damage_errors
from charrnn_cli.text.formats import (
    endings,
    is_text_in_archive,
    is_text_in_folder,
    packing_of,
    unpacked_name,
)

CHUNK = 1 << 20  # bytes; small enough for the processor's cache
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A file, or a member of an archive, that can be read several times."""

    name: str  # as messages show it
    path: Path
    member: str | None = None

    archive: OpenArchive | None = field(default=None, compare=False)  # the one that has the member

    @property
    def size(self) -> int:
        """Bytes on disk; for a member of an archive, its unpacked bytes. Raises TextError, DiskError."""
        if self.archive is not None and self.member is not None:
            return self.archive.sizes()[self.member]
        with disk_errors("read", self.path):
            return self.path.stat().st_size

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """Unpacked bytes, and how many bytes of `size` were read for them. Raises TextError, DiskError."""
        with disk_errors("read", self.path), damage_errors(self.path, self.name):
            yield from self._chunks_of_file() if self.archive is None else self._chunks_of_member(self.archive)

    def _chunks_of_file(self) -> Iterator[tuple[bytes, int]]:
        unpack, position = packing_of(self.path.name).unpack, 0
        with self.path.open("rb", buffering=0) as raw, closing(unpack(raw) if unpack else raw) as file:
            while chunk := file.read(CHUNK):
                previous, position = position, raw.tell()
                yield chunk, position - previous

    def _chunks_of_member(self, archive: OpenArchive) -> Iterator[tuple[bytes, int]]:
        assert self.member is not None
        with closing(archive.open(self.member)) as file:
            while chunk := file.read(CHUNK):
                yield chunk, len(chunk)


def find_sources(arguments: Sequence[str], spool: Path, include: Sequence[str] = ()) -> list[Source]:
    """The files that arguments name, in their order; the files of a folder or an archive are sorted.

    From folders it also reads the files that match a pattern of `include`, such as *.py. Copies standard input (`-`)
    and named pipes into the folder `spool`, as they can be read only once. Raises TextError, UsageError, DiskError.
    """
    if list(arguments).count(STDIN) > 1:
        raise UsageError("standard input (-) is named twice, but it can be read only once. Name it once.")
    sources: list[Source] = []
    for number, argument in enumerate(arguments):
        if argument == STDIN:
            sources += _standard_input(spool)
        else:
            sources += _sources_at(argument, spool / str(number), include)
    return sources


def skipped_files(arguments: Sequence[str], sources: Sequence[Source]) -> list[str]:
    """The files in named folders that are not among the sources, sorted, without hidden ones. Raises DiskError."""
    read = {source.path for source in sources}
    skipped: set[str] = set()
    for folder in (Path(argument) for argument in arguments if argument not in ("", STDIN)):
        with disk_errors("read", folder):
            if folder.is_dir():
                skipped |= {str(file) for file in _walk(folder) if file not in read and not _is_hidden(file, folder)}
    return sorted(skipped)


def _standard_input(spool: Path) -> list[Source]:
    if sys.stdin is None:
        raise TextError("standard input is closed, so there is no text to read. Name a file instead.")
    return [Source("standard input", _copied(sys.stdin.buffer, spool / "stdin"))]


def _sources_at(argument: str, copy: Path, include: Sequence[str]) -> list[Source]:
    """The files at one path; a named pipe becomes the file `copy`."""
    path = Path(argument)
    with disk_errors("read", path):
        if argument and path.is_dir():
            return _files_in(path, include)
        if path.is_file() and packing_of(path.name).archive:
            return _files_in_archive(path)
        if path.is_file():
            return [Source(str(path), path)]
        if path.is_fifo():
            with path.open("rb") as pipe:
                return [Source(str(path), _copied(pipe, copy))]
        if path.exists() and path.samefile(os.devnull):
            return [Source(str(path), _copied(io.BytesIO(), copy))]
        if argument and path.exists():
            raise TextError(f"{path} is a device or a socket, not a file. Name a file, a folder or a named pipe.")
    raise TextError(f"no such file: {argument}. Check its name and the current folder; - reads standard input.")


def _files_in(folder: Path, include: Sequence[str]) -> list[Source]:
    """The texts in a folder and in the folders inside it, sorted. Raises TextError if there are none."""
    found = sorted(
        file
        for file in _walk(folder)
        if (is_text_in_folder(file.name) or _is_included(file, folder, include)) and file.is_file()
    )
    if not found:
        kinds = " or ".join([endings(lambda format: format.in_folders), *include])
        raise TextError(
            f"no {kinds} file in the folder {folder}. Name the files themselves, or pass a pattern, for example "
            "`include='*.md'`."
        )
    return [Source(str(file), file) for file in found]


def _walk(folder: Path) -> Iterator[Path]:
    """All files in a folder and in the folders inside it. Raises OSError."""
    for inside, _, names in os.walk(folder, onerror=_raise):
        yield from (Path(inside, name) for name in names)


def _is_included(file: Path, folder: Path, include: Sequence[str]) -> bool:
    """Whether a file matches a pattern. Hidden files do not, nor do archives, whose texts folders do not give."""
    can_be = not _is_hidden(file, folder) and packing_of(file.name).archive is None
    return can_be and any(file.relative_to(folder).match(pattern) for pattern in include)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _raise(error: OSError) -> None:
    raise error


def _files_in_archive(path: Path) -> list[Source]:
    """The texts in an archive, sorted; if it has only one file, that file. Raises TextError if there are none."""
    archive = OpenArchive(path)
    files = sorted(archive.sizes())
    texts = files if len(files) == 1 else [file for file in files if is_text_in_archive(file)]
    if not texts:
        raise TextError(f"no {endings(lambda format: True)} file in {path}. Unpack it, then name the files themselves.")
    return [Source(f"{path}/{member}", path, member, archive) for member in texts]


def _copied(pipe: BinaryIO, path: Path) -> Path:
    """Copies what comes from a pipe to the file `path`. Raises DiskError."""
    with disk_errors("write", path):
        path.parent.mkdir(exist_ok=True)
    with disk_errors("write", path), path.open("wb") as file:
        while chunk := pipe.read(CHUNK):
            file.write(chunk)
    return path


def pre_split(folder: Path) -> dict[str, list[str]] | None:
    """The files of a folder whose text is already split, by split; None if the folder has no such files.

    Their names are train.txt, valid.txt and test.txt, or end in .train.txt and so on.
    Raises TextError if a split that is needed has no file, or if any has several.
    """
    with disk_errors("read", folder):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    endings = {split: f"{split}.txt" for split in ("train", "valid", "test")}
    files = {
        split: [name for name in names if name == ending or name.endswith(f".{ending}")]
        for split, ending in endings.items()
    }
    if not any(files.values()):
        return None
    for split in files:
        if len(files[split]) > 1:
            raise TextError(
                f"the folder {folder} has several files for one split: {' and '.join(files[split])}. Name the files "
                "that you mean with `train`, `valid_file` and `test_file`."
            )
    for split in ("train", "valid"):
        if not files[split]:
            present = ", ".join(name for found in files.values() for name in found)
            raise TextError(
                f"the folder {folder} is already split ({present}), but it has no {endings[split]} or "
                f"*.{endings[split]}. Add that file, or name the files with `train` and `valid_file`. To read them as "
                "one text, type: charrnn prepare FILE ..."
            )
    return {split: [str(folder / name) for name in found] for split, found in files.items() if found}


def plain_stem(path: Path) -> str:
    """A file's name without its ending, and without the ending of its compression."""
    return PurePosixPath(unpacked_name(path.name)).stem
