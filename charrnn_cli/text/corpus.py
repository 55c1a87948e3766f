"""A prepared text on disk: the ids of its splits, as memory maps, and corpus.json."""

import dataclasses
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import read_json, write_json
from charrnn_cli.setting import settings_from
from charrnn_cli.text.token_ids import TokenIds

SPLIT_NAMES = ("train", "valid", "test")
ID_TYPES = ("uint8", "uint16", "uint32")
SHA256 = re.compile("[0-9a-f]{64}")
SHORT_LIST = 10_000  # characters of the training text
PREPARE_AGAIN = "Prepare the text again with `force=True`."


@dataclass(frozen=True)
class CorpusInfo:
    """corpus.json: the settings, size and sources of a prepared text."""

    settings: PrepareSettings
    dtype: str
    tokens: dict[str, int]  # number of tokens in each split
    distinct: int  # number of different tokens in the training text, or in the whole text if it was cut into splits
    rarest: list[tuple[str, int]]  # tokens with their counts, ascending
    unknown: int  # number of tokens that are stored as <unk>
    files: list[str]
    sha256: str
    characters: dict[str, int] = field(default_factory=dict)  # of each split; empty if they were not counted
    split_sha256: dict[str, str] = field(default_factory=dict)  # of each file of ids
    grown_from: list[str] = field(default_factory=list)  # earlier values of `sha256`, before texts were appended

    @property
    def characters_per_token(self) -> float | None:
        """Characters of the validation split for each token that is predicted in it; None if they were not counted."""
        predicted_tokens = self.tokens["valid"] - 1  # the first token is not predicted
        characters = self.characters.get("valid", 0)
        return characters / predicted_tokens if characters and predicted_tokens > 0 else None

    @property
    def short_list(self) -> bool:
        """Whether the text is a short list of characters, each line of which is a document."""
        settings = self.settings
        return settings.level == "char" and settings.documents == "line" and self.tokens["train"] <= SHORT_LIST

    def save(self, path: Path) -> None:
        """Writes corpus.json. Raises DiskError."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "CorpusInfo":
        """Reads corpus.json. Raises RunError if it is missing or damaged."""
        try:
            info = settings_from(cls, read_json(path))
        except (ValueError, UsageError) as error:
            reason = str(error).replace("`", "'")  # backticks would make a type look like a setting
            raise RunError(f"{path} is damaged ({reason}). {PREPARE_AGAIN}") from error
        except RunError as error:
            raise RunError(f"{error} {PREPARE_AGAIN}") from error
        if info.dtype not in ID_TYPES or any(info.tokens.get(name, -1) < 0 for name in SPLIT_NAMES):
            splits = ", ".join(SPLIT_NAMES)
            raise RunError(f"{path} is damaged (it lacks the tokens of {splits} in {info.dtype}). {PREPARE_AGAIN}")
        if info.characters and set(info.characters) != set(SPLIT_NAMES):
            raise RunError(f"{path} is damaged (it counts the characters of other splits). {PREPARE_AGAIN}")
        for digest in (info.sha256, *info.grown_from, *info.split_sha256.values()):
            if not SHA256.fullmatch(digest):
                raise RunError(f"{path} is damaged ({digest!r} is not a SHA-256 hash). {PREPARE_AGAIN}")
        return info


@dataclass(frozen=True)
class Corpus:
    """The folder of a prepared text."""

    folder: Path

    @cached_property
    def info(self) -> CorpusInfo:
        """corpus.json. Raises RunError."""
        return CorpusInfo.load(self.folder / "corpus.json")

    def split(self, name: str) -> TokenIds:
        """The ids of "train", "valid" or "test", (N,), as a read-only memory map. Raises RunError, DiskError."""
        path = self.folder / f"{name}.bin"
        count, dtype = self.info.tokens[name], np.dtype(self.info.dtype)
        with disk_errors("read", path):
            size = path.stat().st_size
            if size != count * dtype.itemsize:
                raise RunError(
                    f"{path} is damaged: it has {size} bytes, but corpus.json says {count} tokens of {dtype}. "
                    f"{PREPARE_AGAIN}"
                )
            return np.memmap(path, dtype, "r", shape=(count,)) if count else np.zeros(0, dtype)


def check_ids(ids: Any, vocabulary_size: int) -> None:
    """Raises RunError if an id, in an array or a tensor, is too large for the vocabulary."""
    if len(ids) and (highest := int(ids.max())) >= vocabulary_size:
        raise RunError(
            f"the prepared text is damaged: it has the id {highest}, but the vocabulary has only {vocabulary_size} "
            "tokens. Everything saved is intact. To find the damaged file, type: charrnn info --verify. "
            f"{PREPARE_AGAIN}"
        )
