"""Text files to train.bin, valid.bin and test.bin, streamed in two passes; and back as memory maps.

The first pass (`survey`) counts tokens, the second (`write_corpus`) writes their ids. A text comes in one part, "text",
which is cut into splits, or in parts that are the splits.
"""

import dataclasses
import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.config import PrepareSettings, settings_from
from charrnn_cli.errors import RunError, TextError, UsageError, disk_errors
from charrnn_cli.files import flush, read_json, write_json
from charrnn_cli.text.coding import Coder, Ids, id_type
from charrnn_cli.text.sources import Source
from charrnn_cli.text.tokenizer import UNITS
from charrnn_cli.text.vocabulary import Vocabulary

SPLITS = ("train", "valid", "test")
ID_TYPES = ("uint8", "uint16", "uint32")
TEXT = "text"  # the part that is to be cut into splits
AGAIN = "Prepare the text again: charrnn prepare TEXT --force"
Parts = Mapping[str, Sequence[Source]]


@dataclass(frozen=True)
class Progress:
    """How far a pass over the text is."""

    doing: str  # "counting" or "writing"
    done: int  # bytes of the sources
    total: int


@dataclass(frozen=True)
class Survey:
    """What the first pass found."""

    tokens: dict[str, int]  # of each part
    sha256: str  # of the clean text in UTF-8, or of the bytes; a NUL byte between parts, and files of words


@dataclass(frozen=True)
class CorpusInfo:
    """corpus.json: what the ids of a corpus are and where they come from."""

    settings: PrepareSettings
    dtype: str
    tokens: dict[str, int]  # of each split
    distinct: int  # tokens in the training text, or in all of one that is cut
    rarest: list[tuple[str, int]]  # token and count, ascending
    unknown: int  # tokens that stand as the unknown one
    files: list[str]
    sha256: str
    characters: dict[str, int] = field(default_factory=dict)  # of each split, where they were counted
    split_sha256: dict[str, str] = field(default_factory=dict)  # of each file of ids

    def save(self, path: Path) -> None:
        """Writes corpus.json. Raises DiskError."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "CorpusInfo":
        """Reads corpus.json. Raises RunError where it is missing or damaged."""
        try:
            info = settings_from(cls, read_json(path))
        except (ValueError, UsageError) as error:
            raise RunError(f"{path} is damaged ({error}). {AGAIN}") from error
        except RunError as error:
            raise RunError(f"{error} {AGAIN}") from error
        if info.dtype not in ID_TYPES or any(info.tokens.get(name, -1) < 0 for name in SPLITS):
            raise RunError(f"{path} is damaged (no tokens of {info.dtype} in {', '.join(SPLITS)}). {AGAIN}")
        return info


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


def survey(parts: Parts, coder: Coder[Any]) -> Generator[Progress, None, Survey]:
    """The first pass: yields progress, returns what was found. Raises TextError, DiskError."""
    text_hash = hashlib.sha256()
    tokens = dict.fromkeys(parts, 0)
    done, total = 0, _size(parts)
    for part, sources in parts.items():
        for piece, size in coder.pieces(sources, text_hash):
            coder.count(piece, held_out=part in ("valid", "test"))
            tokens[part] += len(piece)
            done += size
            yield Progress("counting", done, total)
        if not tokens[part] and sources:
            raise TextError(
                f"there is no text in {', '.join(source.name for source in sources)}: nothing to learn from."
            )
        text_hash.update(b"\0" * (part != TEXT))
    return Survey(tokens, text_hash.hexdigest())


def write_corpus(
    parts: Parts, settings: PrepareSettings, found: Survey, coder: Coder[Any], vocabulary: Vocabulary, folder: Path
) -> Generator[Progress, None, CorpusInfo]:
    """The second pass: yields progress, returns what corpus.json says. Raises TextError, DiskError."""
    sizes = split_sizes(found, settings)
    text_hash = hashlib.sha256()
    unknown, done, total = 0, 0, _size(parts)
    digests = {name: hashlib.sha256() for name in SPLITS}
    files = {name: (folder / f"{name}.bin").open("wb") for name in SPLITS}
    try:
        left, characters = dict(sizes), dict.fromkeys(SPLITS, 0)
        for part, sources in parts.items():
            for piece, size in coder.pieces(sources, text_hash):
                ids = coder.encode(piece, vocabulary)
                if vocabulary.unknown is not None:
                    unknown += int(np.count_nonzero(ids == vocabulary.unknown))
                for name in SPLITS if part == TEXT else (part,):
                    fitting, ids = ids[: left[name]], ids[left[name] :]
                    characters[name] += coder.characters(piece[: left[name]])
                    piece = piece[left[name] :]
                    left[name] -= len(fitting)
                    files[name].write(fitting.data)
                    digests[name].update(fitting.data)
                done += size
                yield Progress("writing", done, total)
            text_hash.update(b"\0" * (part != TEXT))
        for file in files.values():
            flush(file)
    finally:
        for file in files.values():
            file.close()
    if text_hash.hexdigest() != found.sha256:
        raise TextError("the text changed while it was read. Type the command again when nothing writes to it.")
    info = CorpusInfo(
        settings=settings,
        dtype=id_type(vocabulary).name,
        tokens=sizes,
        distinct=coder.distinct,
        rarest=coder.rarest(10),
        unknown=unknown,
        files=[source.name for sources in parts.values() for source in sources],
        sha256=found.sha256,
        characters=characters,
        split_sha256={name: digest.hexdigest() for name, digest in digests.items()},
    )
    info.save(folder / "corpus.json")
    return info


def split_sizes(found: Survey, settings: PrepareSettings) -> dict[str, int]:
    """Tokens of each split, in the order of the text. Raises TextError where one that is wanted gets too few."""
    if TEXT in found.tokens:
        tokens = found.tokens[TEXT]
        valid, test = int(tokens * settings.valid), int(tokens * settings.test)
        sizes = {"train": tokens - valid - test, "valid": valid, "test": test}
        wanted = {"train": True, "valid": settings.valid > 0, "test": settings.test > 0}
    else:
        sizes = {name: found.tokens.get(name, 0) for name in SPLITS}
        wanted = {name: name in found.tokens for name in SPLITS}
    unit = UNITS[settings.level]
    for name, size in sizes.items():
        if wanted[name] and size < 2:  # an input and its target
            if TEXT not in found.tokens:
                raise TextError(f"the {name} text is too short: it has {size} {unit}, and needs 2. Name a longer one.")
            raise TextError(
                f"the text is too short: of its {tokens} {unit} the {name} split gets {size}, "
                "and needs 2. Give more text, or fewer splits: --valid 0 --test 0"
            )
    return sizes


def _size(parts: Parts) -> int:
    return sum(source.size for sources in parts.values() for source in sources)
