"""Text files to train.bin, valid.bin and test.bin, streamed in two passes; and back as memory maps.

The first pass (`survey`) counts tokens, the second (`write_corpus`) writes their ids. A text comes in one part, "text",
which is cut into splits, or in parts that are the splits.
"""

import dataclasses
import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.config import HELD_OUT, HELD_OUT_TOKENS, PrepareSettings
from charrnn_cli.errors import RunError, TextError, UsageError, disk_errors
from charrnn_cli.files import flush, read_json, write_json
from charrnn_cli.setting import settings_from
from charrnn_cli.text.coding import Coder, Ids, id_type
from charrnn_cli.text.sources import Source
from charrnn_cli.text.tokenizer import UNITS
from charrnn_cli.text.vocabulary import Vocabulary

SPLITS = ("train", "valid", "test")
ID_TYPES = ("uint8", "uint16", "uint32")
SHA256 = re.compile("[0-9a-f]{64}")
COPIED = 1 << 22  # ids at once
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
    grown_from: list[str] = field(default_factory=list)  # what `sha256` was before texts were appended

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
        hashes = [info.sha256, *info.grown_from, *info.split_sha256.values()]
        odd = [value for value in hashes if not SHA256.fullmatch(value)]
        if odd:
            raise RunError(f"{path} is damaged ({odd[0]!r} is no SHA-256). {AGAIN}")
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


def survey(parts: Parts, coder: Coder) -> Generator[Progress, None, Survey]:
    """The first pass: yields progress, returns what was found. Raises TextError, DiskError."""
    text_hash = hashlib.sha256()
    tokens = dict.fromkeys(parts, 0)
    done, total = 0, total_size(parts)
    for part, sources in parts.items():
        for count, size in coder.count(sources, text_hash, held_out=part in ("valid", "test")):
            tokens[part] += count
            done += size
            yield Progress("counting", done, total)
        if not tokens[part] and sources:
            raise TextError(
                f"there is no text in {', '.join(source.name for source in sources)}: nothing to learn from."
            )
        text_hash.update(b"\0" * (part != TEXT))
    return Survey(tokens, text_hash.hexdigest())


def write_corpus(
    parts: Parts, settings: PrepareSettings, found: Survey, coder: Coder, vocabulary: Vocabulary, folder: Path
) -> Generator[Progress, None, CorpusInfo]:
    """The second pass: yields progress, returns what corpus.json says. Raises TextError, DiskError."""
    sizes = split_sizes(found, settings)
    text_hash = hashlib.sha256()
    unknown, done, total = 0, 0, total_size(parts)
    digests = {name: hashlib.sha256() for name in SPLITS}
    files = {name: (folder / f"{name}.bin").open("wb") for name in SPLITS}
    try:
        left, characters = dict(sizes), dict.fromkeys(SPLITS, 0)
        for part, sources in parts.items():
            for encoded in coder.encode(sources, text_hash, vocabulary):
                done += encoded.size
                if vocabulary.unknown is not None:
                    unknown += int(np.count_nonzero(encoded.ids == vocabulary.unknown))
                for name in SPLITS if part == TEXT else (part,):
                    fitting = encoded.ids[: left[name]]
                    characters[name] += encoded.length(left[name])
                    encoded = encoded.behind(left[name])
                    left[name] -= len(fitting)
                    files[name].write(fitting.data)
                    digests[name].update(fitting.data)
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


def join_corpora(old: Corpus, new: Corpus, vocabulary: Vocabulary, folder: Path) -> CorpusInfo:
    """Writes the ids of `old`, and behind them those of `new`, split by split, as a corpus in `folder`.

    Both have the ids of `vocabulary`. Raises RunError where the old ones are damaged, DiskError.
    """
    counts = np.zeros(len(vocabulary), np.int64)
    digests = {}
    for name in SPLITS:
        digest = hashlib.sha256()
        with (folder / f"{name}.bin").open("wb") as file:
            for corpus in (old, new):
                ids = corpus.split(name)
                for start in range(0, len(ids), COPIED):
                    piece = ids[start : start + COPIED]
                    found = np.bincount(piece, minlength=len(counts))
                    if len(found) > len(counts):
                        raise RunError(f"{corpus.folder / name}.bin is damaged: it has ids that there are not. {AGAIN}")
                    counts += found
                    file.write(piece.data)
                    digest.update(piece.data)
            flush(file)
        digests[name] = digest.hexdigest()
    rarest = [id for id in np.argsort(counts, kind="stable").tolist() if counts[id] and id != vocabulary.unknown]
    was, adds = old.info, new.info
    info = dataclasses.replace(
        was,
        tokens={name: was.tokens[name] + adds.tokens[name] for name in SPLITS},
        distinct=max(was.distinct, adds.distinct),
        rarest=[(vocabulary.tokens[id], int(counts[id])) for id in rarest[:10]],
        unknown=was.unknown + adds.unknown,
        files=was.files + adds.files,
        sha256=hashlib.sha256(f"{was.sha256} {adds.sha256}".encode()).hexdigest(),
        characters={name: was.characters[name] + adds.characters[name] for name in was.characters},
        split_sha256=digests,
        grown_from=[*was.grown_from, was.sha256],
    )
    info.save(folder / "corpus.json")
    return info


def split_sizes(found: Survey, settings: PrepareSettings) -> dict[str, int]:
    """Tokens of each split, in the order of the text. Raises TextError where one that is wanted gets too few."""
    if TEXT in found.tokens:
        tokens = found.tokens[TEXT]
        valid, test = (
            min(int(tokens * HELD_OUT), HELD_OUT_TOKENS) if share is None else int(tokens * share)
            for share in (settings.valid, settings.test)
        )
        sizes = {"train": tokens - valid - test, "valid": valid, "test": test}
        wanted = {"train": True, "valid": settings.valid != 0, "test": settings.test != 0}
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


def check_ids(ids: Any, tokens: int) -> None:
    """Raises RunError where an id, of an array or a tensor, is none of so many tokens."""
    if len(ids) and (highest := int(ids.max())) >= tokens:
        raise RunError(
            f"the prepared text is damaged: it has the id {highest}, and the vocabulary {tokens} tokens. What was "
            "saved is whole. To see which file it is: charrnn info --verify. Then prepare the text again, with --force."
        )


def total_size(parts: Parts) -> int:
    """Bytes of all sources."""
    return sum(source.size for sources in parts.values() for source in sources)
