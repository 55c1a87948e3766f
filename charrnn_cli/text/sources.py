"""Text files, compressed ones, folders of them and standard input, read as chunks of clean text."""

import codecs
import gzip
import io
import itertools
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from charrnn_cli.errors import TextError, UsageError, disk_errors

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 1 << 20  # bytes: the working set stays in the processor's cache
STDIN = "-"
COMPRESSED = (".gz", ".zst")
DAMAGE = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, zstd.ZstdError, NotImplementedError, RuntimeError)
ENDINGS = (".txt", *(f".txt{ending}" for ending in COMPRESSED))  # of the files that are taken from a folder


@dataclass(frozen=True)
class Source:
    """One file to read, or a member of a .zip. Standard input, which cannot be read twice, was spooled to disk."""

    name: str  # as messages show it
    path: Path
    member: str | None = None

    @property
    def size(self) -> int:
        """Bytes on disk; of a member, those that it unpacks to."""
        if self.member is None:
            return self.path.stat().st_size
        with _archive(self.path) as archive:
            return archive.getinfo(self.member).file_size

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """(unpacked bytes, bytes of `size` that were read for them). Raises TextError, DiskError."""
        done = 0
        with (
            disk_errors("read", self.path),
            _damage(self.name),
            self.path.open("rb", buffering=0) as raw,
            closing(self._unpacked(raw)) as file,
        ):
            while chunk := file.read(CHUNK):
                now = done + len(chunk) if self.member else raw.tell()
                yield chunk, now - done
                done = now

    def _unpacked(self, raw: io.FileIO) -> BinaryIO:
        if self.member is not None:
            return zipfile.ZipFile(raw).open(self.member)  # type: ignore[return-value]  # as good as one
        if self.path.suffix == ".gz":
            return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
        if self.path.suffix == ".zst":
            return zstd.ZstdFile(raw)  # type: ignore[return-value]
        return raw


def find_sources(arguments: Sequence[str], spool_folder: Path) -> list[Source]:
    """Files as given, a folder's .txt files sorted; what can be read once only is copied into `spool_folder`.

    That is `-`, standard input, and pipes. Raises TextError, UsageError, DiskError.
    """
    if list(arguments).count(STDIN) > 1:
        raise UsageError("`-`, standard input, can be read once only, and is named twice.")
    sources: list[Source] = []
    for argument in arguments:
        path = Path(argument)
        with disk_errors("read", path):
            if argument == STDIN and sys.stdin is None:
                raise TextError("standard input is closed: there is nothing to read.")
            if argument == STDIN:
                sources.append(Source("standard input", _spool(sys.stdin.buffer, spool_folder / "-")))
            elif argument and path.is_dir():
                inside = (Path(folder, name) for folder, _, names in os.walk(path, onerror=_refuse) for name in names)
                found = sorted(file for file in inside if file.name.endswith(ENDINGS) and file.is_file())
                if not found:
                    raise TextError(f"no .txt file in the folder {path}. Name the files themselves.")
                sources += [Source(str(file), file) for file in found]
            elif path.is_file() and path.suffix == ".zip":
                sources += [Source(f"{path}/{member}", path, member) for member in _members(path)]
            elif path.is_file():
                sources.append(Source(str(path), path))
            elif path.is_fifo():
                with path.open("rb") as pipe:
                    sources.append(Source(str(path), _spool(pipe, spool_folder / str(len(sources)))))
            else:
                raise TextError(
                    f"no such file: {argument}. Is its name right, and this the folder? - is standard input."
                )
    return sources


def pre_split(folder: Path) -> dict[str, list[str]] | None:
    """The files of a folder that is split already, `train.txt` and so on or `*.train.txt` and so on, by split.

    None where it has no such file. Raises TextError where it has too few of them, or several for one split.
    """
    with disk_errors("read", folder):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    ends = {split: f"{split}.txt" for split in ("train", "valid", "test")}
    found = {split: [name for name in names if name == end or name.endswith(f".{end}")] for split, end in ends.items()}
    if not any(found.values()):
        return None
    several = next((fitting for fitting in found.values() if len(fitting) > 1), None)
    if several:
        raise TextError(
            f"the folder {folder} has {' and '.join(several)}: name the ones that you mean with --train FILE "
            "--valid-file FILE --test-file FILE."
        )
    for split in ("train", "valid"):
        if not found[split]:
            has = ", ".join(name for fitting in found.values() for name in fitting)
            raise TextError(
                f"the folder {folder} is split already ({has}), and has no {ends[split]} or *.{ends[split]}. Put it "
                "there, or name the files: --train FILE --valid-file FILE; or as one text: charrnn prepare FILE ..."
            )
    return {split: [str(folder / name) for name in fitting] for split, fitting in found.items() if fitting}


def plain_stem(path: Path) -> str:
    """A file's name without its last ending, and without that of its compression before."""
    return PurePosixPath(unpacked_name(path.name)).stem


def unpacked_name(name: str) -> str:
    """A file's name without the ending of its compression."""
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name


def _members(path: Path) -> list[str]:
    """The text files of a .zip, sorted; where it has one file only, that. Raises TextError."""
    with _archive(path) as archive:
        files = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    found = [file for file in files if file.endswith((".txt", ".jsonl"))] if len(files) > 1 else files
    if not found:
        raise TextError(f"no .txt file in {path}. Unpack it, and name the files themselves.")
    return found


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with disk_errors("read", path), _damage(str(path)), zipfile.ZipFile(path) as archive:
        yield archive


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Turns what is wrong with a compressed file into a TextError."""
    try:
        yield
    except DAMAGE as error:
        raise TextError(f"{name} cannot be unpacked: {error}. Unpack it by other means, and name the text.") from error


def _refuse(error: OSError) -> None:
    raise error


def _spool(pipe: BinaryIO, path: Path) -> Path:
    with disk_errors("write", path):
        path.parent.mkdir(exist_ok=True)
    with disk_errors("write", path), path.open("wb") as file:
        while chunk := pipe.read(CHUNK):
            file.write(chunk)
    return path


def text_chunks(source: Source, encoding: str) -> Iterator[tuple[str, int]]:
    """(text, bytes of the file's size read for it): a BOM is dropped, CRLF and CR become LF.

    Raises TextError where the bytes are not of `encoding` (file, line and offset named) and where there is a NUL
    character, DiskError where the file can't be read.
    """
    decoder = text_decoder(encoding)
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    offset, lines, first = 0, 1, True
    for chunk, size in itertools.chain(source.chunks(), [(b"", 0)]):
        pending = len(decoder.getstate()[0])
        try:
            text = newlines.decode(chunk, final=not chunk)
        except UnicodeError as error:
            raise _not_of(encoding, source, error, lines, offset - pending) from error
        offset += len(chunk)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if "\0" in text:
            line = lines + text[: text.index("\0")].count("\n")
            raise TextError(
                f"{source.name} has a NUL character in line {line}: it is no plain text in {encoding}. "
                "Name its encoding, such as --encoding utf-16, or take the bytes as they are: --level byte."
            )
        lines += text.count("\n")
        yield text, size


def _not_of(encoding: str, source: Source, error: UnicodeError, lines: int, offset: int) -> TextError:
    """Says where bytes are not of `encoding`; what was being decoded starts in line `lines`, at byte `offset`."""
    before, bad = b"", ""
    if isinstance(error, UnicodeDecodeError):
        before = error.object[: error.start]
        bad = f" (byte 0x{error.object[error.start : error.start + 1].hex()})"
    line = lines + before.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n").count("\n")
    return TextError(
        f"{source.name} is not {encoding}: line {line}, byte offset {offset + len(before)}{bad}. Name its encoding, "
        "such as --encoding cp1252 or --encoding utf-16, or take the bytes as they are: --level byte."
    )


def text_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """A strict decoder. Raises UsageError for an encoding that Python lacks."""
    try:
        if not codecs.lookup(encoding)._is_text_encoding:
            raise LookupError
        return codecs.getincrementaldecoder(encoding)("strict")
    except LookupError:
        raise UsageError(
            f"--encoding {encoding!r} is no encoding that Python knows. Common ones: utf-8, utf-16, cp1252, latin-1."
        ) from None
