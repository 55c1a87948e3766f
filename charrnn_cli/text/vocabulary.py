"""Tokens to ids and back, and vocabulary.json."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from charrnn_cli.config import Level, SplitOn
from charrnn_cli.errors import RunError
from charrnn_cli.files import read_json, write_json

UNKNOWN = "<unk>"
EOS = "<eos>"  # ends a line if words are split at white space
EOD = "<eod>"  # ends a document
END = "\0"  # ends a document in a clean text, which never contains this character otherwise
TOKEN_FORMS: Mapping[str, Callable[[str], object]] = {  # tests whether a token that is not special fits a level
    "char": lambda token: len(token) == 1,
    "byte": re.compile("[0-9a-f]{2}").fullmatch,
}


@dataclass(frozen=True)
class Vocabulary:
    """The V tokens of a model in the order of their ids.

    At level "char" a token is one character, at level "byte" two hexadecimal digits, at level "word" a word or the name
    of a punctuation mark, whose text is in `marks`. `unknown` is the id of the token for everything that the vocabulary
    does not have, `end` the id of the token that ends a document; None without such a token.
    """

    level: Level
    tokens: tuple[str, ...]
    unknown: int | None = None
    split_on: SplitOn = "punctuation"
    lowercase: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    end: int | None = None

    @classmethod
    def with_special(
        cls, level: Level, known: Iterable[str], has_unknown: bool, has_ends: bool, lowercase: bool
    ) -> "Vocabulary":
        """<unk> and <eod>, if they are needed, and then the `known` tokens."""
        special = [token for token, exists in ((UNKNOWN, has_unknown), (EOD, has_ends)) if exists]
        return cls(
            level,
            (*special, *known),
            unknown=special.index(UNKNOWN) if has_unknown else None,
            lowercase=lowercase,
            end=special.index(EOD) if has_ends else None,
        )

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: id for id, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of `tokens`. Raises KeyError for a token that the vocabulary does not have."""
        return [self.ids[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of `ids`. Raises RunError for an id that is too large."""
        try:
            return [self.tokens[id] for id in ids]
        except IndexError as error:
            raise RunError(
                f"the prepared text is damaged: it has ids that are too large for a vocabulary of {len(self)} tokens. "
                "To find the damaged file, type: charrnn info --verify. Then prepare the text again with "
                "`force=True`."
            ) from error

    def lacks(self, tokens: Sequence[str]) -> list[int]:
        """The positions of the `tokens` that the vocabulary does not have."""
        return [position for position, token in enumerate(tokens) if token not in self.ids]

    def record(self) -> dict[str, Any]:
        """The content of vocabulary.json."""
        record: dict[str, Any] = {
            "level": self.level,
            "special": {name: id for name, id in (("unknown", self.unknown), ("end", self.end)) if id is not None},
            "lowercase": self.lowercase,
        }
        if self.level == "word":
            record |= {"split_on": self.split_on, "punctuation": dict(self.marks)}
        return {**record, "tokens": list(self.tokens)}

    def save(self, path: Path) -> None:
        """Writes vocabulary.json. Raises DiskError."""
        write_json(path, self.record())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads vocabulary.json. Raises RunError if it is missing or damaged, DiskError."""
        record = read_json(path)
        level, split_on = record.get("level"), record.get("split_on", "punctuation")
        if level is None or level not in get_args(Level) or split_on not in get_args(SplitOn):
            raise RunError(
                f"{path} has the level {level!r} and splits words on {split_on!r}. This version knows the levels "
                f"{', '.join(get_args(Level))} and splits on {' or '.join(get_args(SplitOn))}."
            )
        tokens: Any = record.get("tokens")
        marks, special = record.get("punctuation", {}), record.get("special", {})
        _check_tokens(tokens, path)
        if not isinstance(marks, dict) or not all(isinstance(text, str) for text in marks.values()):
            raise RunError(f"{path} is damaged: its punctuation is not an object of strings.")
        unknown, end = (special.get(name) if isinstance(special, dict) else None for name in ("unknown", "end"))
        for name, id in (("unknown", unknown), ("end-of-document", end)):
            if id is not None and not (isinstance(id, int) and 0 <= id < len(tokens)):
                raise RunError(f"{path} is damaged: {id!r} is not a valid id for the {name} token.")
        _check_forms(level, [token for id, token in enumerate(tokens) if id not in (unknown, end)], path)
        return cls(level, tuple(tokens), unknown, split_on, record.get("lowercase") is True, marks, end)


def _check_tokens(tokens: Any, path: Path) -> None:
    """Raises RunError for anything but a list of different strings."""
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        raise RunError(f"{path} is damaged: its tokens are not a list of strings.")
    if len(set(tokens)) < len(tokens):
        raise RunError(f"{path} is damaged: it has the same token twice.")


def _check_forms(level: Level, tokens: list[str], path: Path) -> None:
    """Raises RunError for a token that does not fit its level."""
    fits = TOKEN_FORMS.get(level)
    if fits is None:
        return
    for token in tokens:
        if not fits(token):
            raise RunError(f"{path} is damaged: {token!r} is not a {level}.")
