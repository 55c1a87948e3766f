"""Text files to train.bin, valid.bin and test.bin, streamed in two passes; and back as memory maps.

The first pass (`survey`) counts characters, the second (`write_corpus`) looks each one's id up in a table. Both work
on chunks with NumPy: a code point is an index.
"""

import dataclasses
import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings, settings_from
from charrnn_cli.errors import RunError, TextError, UsageError, disk_errors
from charrnn_cli.files import flush, read_json, write_json
from charrnn_cli.text.sources import Source, byte_chunks, text_chunks
from charrnn_cli.text.vocabulary import UNKNOWN, Vocabulary

SPLITS = ("train", "valid", "test")
CODE_POINTS = 0x110000
AGAIN = "Prepare the text again: charrnn prepare TEXT --force"
Codes = NDArray[np.uint8] | NDArray[np.uint32]
Ids = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True)
class Progress:
    """How far a pass over the text is."""

    doing: str  # "counting" or "writing"
    done: int  # bytes of the sources
    total: int


@dataclass(frozen=True)
class Survey:
    """What the first pass found: how often each code (code point or byte) occurs."""

    counts: NDArray[np.int64]  # (code points or 256,)
    sha256: str  # of the clean text in UTF-8, or of the bytes

    @property
    def tokens(self) -> int:
        """The length of the text in characters or bytes."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class CorpusInfo:
    """corpus.json: what the ids of a corpus are and where they come from."""

    settings: PrepareSettings
    dtype: str
    tokens: dict[str, int]  # of each split
    distinct: int  # characters in the text
    rarest: list[tuple[str, int]]  # character and count, ascending
    unknown: int  # tokens that the vocabulary lacks
    files: list[str]
    sha256: str

    def save(self, path: Path) -> None:
        """Writes corpus.json. Raises DiskError."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "CorpusInfo":
        """Reads corpus.json. Raises RunError where it is missing or damaged."""
        try:
            record: dict[str, Any] = read_json(path)
            record["settings"] = settings_from(PrepareSettings, record["settings"])
            record["tokens"] = {name: int(record["tokens"][name]) for name in SPLITS}
            return settings_from(cls, record)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise RunError(f"{path} is damaged ({error}). {AGAIN}") from error
        except RunError as error:
            raise RunError(f"{error} {AGAIN}") from error


@dataclass(frozen=True)
class Corpus:
    """The ids of a text on disk."""

    folder: Path

    @cached_property
    def info(self) -> CorpusInfo:
        """What corpus.json says."""
        return CorpusInfo.load(self.folder / "corpus.json")

    def split(self, name: str) -> Ids:
        """The ids of "train", "valid" or "test", (N,), as a read-only memory map. Raises RunError, DiskError."""
        path = self.folder / f"{name}.bin"
        count, dtype = self.info.tokens[name], np.dtype(self.info.dtype)
        with disk_errors("read", path):
            size = path.stat().st_size
            if size != count * dtype.itemsize:
                raise RunError(
                    f"{path} is damaged: {size} bytes where corpus.json says {count} tokens of {dtype}. {AGAIN}"
                )
            return np.memmap(path, dtype, "r", shape=(count,)) if count else np.zeros(0, dtype)


def survey(sources: Sequence[Source], settings: PrepareSettings) -> Generator[Progress, None, Survey]:
    """The first pass: yields progress, returns what was found. Raises TextError, DiskError."""
    text_hash = hashlib.sha256()
    counts = np.zeros(256 if settings.level == "byte" else CODE_POINTS, np.int64)
    done, total = 0, sum(source.size for source in sources)
    for codes, size in _codes(sources, settings, text_hash):
        found = np.bincount(codes)
        counts[: len(found)] += found
        done += size
        yield Progress("counting", done, total)
    if not counts.any():
        raise TextError(f"there is no text in {', '.join(source.name for source in sources)}: nothing to learn from.")
    return Survey(counts, text_hash.hexdigest())


def build_vocabulary(found: Survey, settings: PrepareSettings) -> Vocabulary:
    """The tokens of a text by code point: the same text gives the same ids, always. Raises TextError."""
    if settings.level == "byte":
        return Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
    known = np.flatnonzero(found.counts >= settings.min_count)
    if not len(known):
        raise TextError(f"--min-count {settings.min_count} leaves no character: the text has {found.tokens} in all.")
    characters = tuple(map(chr, known.tolist()))
    if len(known) == np.count_nonzero(found.counts):
        return Vocabulary("char", characters)
    return Vocabulary("char", (UNKNOWN, *characters), unknown=0)


def write_corpus(
    sources: Sequence[Source], settings: PrepareSettings, found: Survey, vocabulary: Vocabulary, folder: Path
) -> Generator[Progress, None, CorpusInfo]:
    """The second pass: yields progress, returns what corpus.json says. Raises TextError, DiskError."""
    sizes = split_sizes(found.tokens, settings)
    table = _table(vocabulary)
    text_hash = hashlib.sha256()
    done, total = 0, sum(source.size for source in sources)
    files = {name: (folder / f"{name}.bin").open("wb") for name in SPLITS}
    try:
        left = dict(sizes)
        for codes, size in _codes(sources, settings, text_hash):
            ids = table[codes]
            for name in SPLITS:
                part, ids = ids[: left[name]], ids[left[name] :]
                left[name] -= len(part)
                files[name].write(part.data)
            done += size
            yield Progress("writing", done, total)
        for file in files.values():
            flush(file)
    finally:
        for file in files.values():
            file.close()
    if text_hash.hexdigest() != found.sha256:
        raise TextError("the text changed while it was read. Type the command again when nothing writes to it.")
    occurring = np.flatnonzero(found.counts)
    rarest = occurring[np.argsort(found.counts[occurring], kind="stable")][:10]
    info = CorpusInfo(
        settings=settings,
        dtype=table.dtype.name,
        tokens=sizes,
        distinct=len(occurring),
        rarest=[(_character(settings, code), int(found.counts[code])) for code in rarest.tolist()],
        unknown=0 if vocabulary.unknown is None else int(found.counts[found.counts < settings.min_count].sum()),
        files=[source.name for source in sources],
        sha256=found.sha256,
    )
    info.save(folder / "corpus.json")
    return info


def split_sizes(tokens: int, settings: PrepareSettings) -> dict[str, int]:
    """Tokens of each split, in the order of the text. Raises TextError where one that is wanted gets too few."""
    valid, test = int(tokens * settings.valid), int(tokens * settings.test)
    sizes = {"train": tokens - valid - test, "valid": valid, "test": test}
    wanted = {"train": True, "valid": settings.valid > 0, "test": settings.test > 0}
    for name, size in sizes.items():
        if wanted[name] and size < 2:  # an input and its target
            raise TextError(
                f"the text is too short: of its {tokens} {settings.level}s the {name} split gets {size}, "
                "and needs 2. Give more text, or fewer splits: --valid 0 --test 0"
            )
    return sizes


def _table(vocabulary: Vocabulary) -> Ids:
    """The id of every code, in the smallest type that holds V ids."""
    dtype = np.min_scalar_type(len(vocabulary) - 1)
    if vocabulary.level == "byte":
        return np.arange(256, dtype=np.uint8)
    table = np.full(CODE_POINTS, vocabulary.unknown or 0, dtype)
    for id, token in enumerate(vocabulary.tokens):
        if id != vocabulary.unknown:
            table[ord(token)] = id
    return table


def _codes(
    sources: Sequence[Source], settings: PrepareSettings, text_hash: "hashlib._Hash"
) -> Iterator[tuple[Codes, int]]:
    """(codes, bytes read for them) of all sources in a row; the text goes into the hash on its way."""
    for source in sources:
        if settings.level == "byte":
            for data in byte_chunks(source):
                text_hash.update(data)
                yield np.frombuffer(data, np.uint8), len(data)
        else:
            for text, size in text_chunks(source, settings.encoding):
                data = text.encode("utf-8", "surrogatepass")
                text_hash.update(data)
                if text.isascii():
                    yield np.frombuffer(data, np.uint8), size
                else:
                    yield np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), size


def _character(settings: PrepareSettings, code: int) -> str:
    return f"{code:02x}" if settings.level == "byte" else chr(code)
