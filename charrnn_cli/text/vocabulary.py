"""Tokens to ids and back, and their JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from charrnn_cli.config import Level
from charrnn_cli.errors import RunError
from charrnn_cli.files import read_json, write_json

UNKNOWN = "<unk>"


@dataclass(frozen=True)
class Vocabulary:
    """The V tokens of a model in the order of their ids.

    At level "char" a token is one character, at level "byte" two hexadecimal digits. `unknown` is the id of the
    token that stands for all that the vocabulary lacks, where there is one.
    """

    level: Level
    tokens: tuple[str, ...]
    unknown: int | None = None

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: id for id, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids of `tokens`; raises KeyError for one that the vocabulary lacks."""
        return [self.ids[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of `ids`."""
        return [self.tokens[id] for id in ids]

    def lacks(self, tokens: Sequence[str]) -> list[int]:
        """The positions of the `tokens` that the vocabulary lacks."""
        return [position for position, token in enumerate(tokens) if token not in self.ids]

    def save(self, path: Path) -> None:
        """Writes vocabulary.json. Raises DiskError."""
        special = {} if self.unknown is None else {"unknown": self.unknown}
        write_json(path, {"level": self.level, "special": special, "tokens": list(self.tokens)})

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads vocabulary.json. Raises RunError where it is missing or damaged."""
        record = read_json(path)
        level, tokens, special = record.get("level"), record.get("tokens"), record.get("special", {})
        if level != "char" and level != "byte":
            raise RunError(f"{path}: this charrnn knows the levels {', '.join(get_args(Level))}, not {level!r}.")
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            raise RunError(f"{path} is damaged: `tokens` is no list of strings.")
        if len(set(tokens)) < len(tokens):
            raise RunError(f"{path} is damaged: a token stands in it twice.")
        unknown = special.get("unknown") if isinstance(special, dict) else None
        if unknown is not None and not (isinstance(unknown, int) and 0 <= unknown < len(tokens)):
            raise RunError(f"{path} is damaged: the unknown token's id is {unknown!r}.")
        return cls(level, tuple(tokens), unknown)
