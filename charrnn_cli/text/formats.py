"""The table of input formats: how a file is unpacked, and how its content becomes texts.

To add a format, write its function and add one row to `FORMATS`. All commands that read texts use this table.
"""

import gzip
import io
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from charrnn_cli.text.json_lines import json_records

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Archive(Protocol):
    """An open file that contains several others."""

    def sizes(self) -> dict[str, int]:
        """The name of each file inside, and its unpacked size in bytes."""

    def open(self, name: str) -> BinaryIO: ...
    def close(self) -> None: ...


class Records(Protocol):
    """Splits the clean text of a file into records.

    Takes the file's name, for error messages, its text in chunks, and the name of the field that has the text of a
    record (None: not given). Yields the texts of some records, and the bytes of the file that were read for them.
    """

    def __call__(
        self, name: str, chunks: Iterable[tuple[str, int]], field: str | None
    ) -> Iterator[tuple[list[str], int]]: ...


@dataclass(frozen=True)
class Format:
    """How files with one ending are read. At most one of the three functions is set; plain text needs none."""

    ending: str
    unpack: Callable[[io.FileIO], BinaryIO] | None = None  # for a compressed file: opens its content
    archive: Callable[[io.FileIO], Archive] | None = None  # for several files in one
    records: Records | None = None  # for records: yields their texts
    damage: tuple[type[Exception], ...] = ()  # what the functions raise if the file is damaged
    in_folders: bool = True  # whether such files are read if the user names their folder

    @property
    def is_packed(self) -> bool:
        return self.unpack is not None or self.archive is not None


class ZipArchive(zipfile.ZipFile):
    """A .zip file."""

    def sizes(self) -> dict[str, int]:
        return {info.filename: info.file_size for info in self.infolist() if not info.is_dir()}


def open_gzip(file: io.FileIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]


def open_zstd(file: io.FileIO) -> BinaryIO:
    return zstd.ZstdFile(file)  # type: ignore[return-value]


def open_zip(file: io.FileIO) -> Archive:
    return ZipArchive(file)  # type: ignore[return-value]


ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that Python does not know
    RuntimeError,  # encrypted
)
FORMATS = (
    Format(".txt"),
    Format(".jsonl", records=json_records, in_folders=False),  # a folder may contain runs and their log.jsonl
    Format(".ndjson", records=json_records, in_folders=False),
    Format(".gz", unpack=open_gzip, damage=(gzip.BadGzipFile, zlib.error, EOFError)),
    Format(".zst", unpack=open_zstd, damage=(zstd.ZstdError, EOFError)),
    Format(".zip", archive=open_zip, damage=ZIP_DAMAGE),
)
PLAIN = Format("")  # for files with an unknown ending


def packing_of(name: str) -> Format:
    """The format that a file is packed in; `PLAIN` if it is not packed."""
    return next((format for format in FORMATS if format.is_packed and name.endswith(format.ending)), PLAIN)


def content_of(name: str) -> Format:
    """The format of a file's content: that of `a.jsonl.gz` is JSON Lines. `PLAIN` if the ending is unknown."""
    unpacked = unpacked_name(name)
    return next((format for format in FORMATS if not format.is_packed and unpacked.endswith(format.ending)), PLAIN)


def unpacked_name(name: str) -> str:
    """A file's name without the ending of its compression."""
    packing = packing_of(name)
    return name.removesuffix(packing.ending) if packing.unpack else name


def is_text_in_folder(name: str) -> bool:
    """Whether a file is read if the user names the folder that it is in."""
    content = content_of(name)
    return content is not PLAIN and content.in_folders


def is_text_in_archive(name: str) -> bool:
    """Whether a file in an archive is read. Files in archives are not unpacked a second time."""
    return content_of(name) is not PLAIN and not packing_of(name).is_packed


def endings(chosen: Callable[[Format], object]) -> str:
    """The endings of the chosen formats that are not packed, as a message shows them."""
    return " or ".join(format.ending for format in FORMATS if not format.is_packed and chosen(format))
