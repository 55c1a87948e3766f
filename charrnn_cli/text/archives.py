"""Archives with several files in one. An archive stays open, so that its list of files is read only once."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from charrnn_cli.errors import TextError, disk_errors
from charrnn_cli.text.formats import Archive, packing_of


class OpenArchive:
    """An archive on disk. It is closed when no source refers to it any more."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sizes(self) -> dict[str, int]:
        """The name of each file inside, and its unpacked size in bytes. Raises TextError, DiskError."""
        return self._sizes

    def open(self, name: str) -> BinaryIO:
        """Opens a file inside. Raises TextError, DiskError."""
        with disk_errors("read", self._path), damage_errors(self._path, f"{self._path}/{name}"):
            return self._archive.open(name)

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return self._archive.sizes()

    @cached_property
    def _archive(self) -> Archive:
        open_archive = packing_of(self._path.name).archive
        assert open_archive is not None
        with disk_errors("read", self._path), damage_errors(self._path, str(self._path)):
            raw = self._path.open("rb", buffering=0)
            weakref.finalize(self, raw.close)
            archive = open_archive(raw)
        weakref.finalize(self, archive.close)  # runs before the file is closed
        return archive


@contextmanager
def damage_errors(path: Path, name: str) -> Iterator[None]:
    """Turns what the format of `path` raises for a damaged file into a TextError."""
    try:
        yield
    except packing_of(path.name).damage as error:
        raise TextError(f"{name} cannot be unpacked: {error}. Unpack it with another program.") from error
