"""Tokens to ids and back, and their JSON."""

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
EOS = "<eos>"  # the end of a line where words stand between white space
EOD = "<eod>"  # the end of a document
END = "\0"  # the same in a clean text, which has no such character of its own
FORMS: Mapping[str, Callable[[str], object]] = {  # what tokens look like, but for special ones
    "char": lambda token: len(token) == 1,
    "byte": re.compile("[0-9a-f]{2}").fullmatch,
}


@dataclass(frozen=True)
class Vocabulary:
    """The V tokens of a model in the order of their ids.

    At level "char" a token is one character, at level "byte" two hexadecimal digits, at level "word" a word or the name
    of a punctuation mark, whose text is in `marks`. `unknown` is the id of the token that stands for all that the
    vocabulary lacks, `end` that of the token that ends a document, where there are such.
    """

    level: Level
    tokens: tuple[str, ...]
    unknown: int | None = None
    split_on: SplitOn = "punctuation"
    lowercase: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    end: int | None = None

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
        """The tokens of `ids`. Raises RunError for one that there is not."""
        try:
            return [self.tokens[id] for id in ids]
        except IndexError as error:
            raise RunError(
                f"the prepared text is damaged: it has ids that are none of the {len(self)} tokens. To see which file "
                "it is: charrnn info --verify. Then prepare the text again, with --force."
            ) from error

    def lacks(self, tokens: Sequence[str]) -> list[int]:
        """The positions of the `tokens` that the vocabulary lacks."""
        return [position for position, token in enumerate(tokens) if token not in self.ids]

    def save(self, path: Path) -> None:
        """Writes vocabulary.json. Raises DiskError."""
        record: dict[str, Any] = {
            "level": self.level,
            "special": {name: id for name, id in (("unknown", self.unknown), ("end", self.end)) if id is not None},
            "lowercase": self.lowercase,
        }
        if self.level == "word":
            record |= {"split_on": self.split_on, "punctuation": dict(self.marks)}
        write_json(path, {**record, "tokens": list(self.tokens)})

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads vocabulary.json. Raises RunError where it is missing or damaged."""
        record = read_json(path)
        level, tokens, special = record.get("level"), record.get("tokens"), record.get("special", {})
        split_on, marks = record.get("split_on", "punctuation"), record.get("punctuation", {})
        if level not in get_args(Level) or level is None or split_on not in get_args(SplitOn):
            known = f"{', '.join(get_args(Level))} and splits on {', '.join(get_args(SplitOn))}"
            raise RunError(f"{path}: this charrnn knows the levels {known}, not {level!r} and {split_on!r}.")
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            raise RunError(f"{path} is damaged: `tokens` is no list of strings.")
        if len(set(tokens)) < len(tokens):
            raise RunError(f"{path} is damaged: a token stands in it twice.")
        if not isinstance(marks, dict) or not all(isinstance(text, str) for text in marks.values()):
            raise RunError(f"{path} is damaged: `punctuation` does not say what tokens stand for.")
        unknown, end = (special.get(name) if isinstance(special, dict) else None for name in ("unknown", "end"))
        for name, id in (("unknown", unknown), ("end-of-document", end)):
            if id is not None and not (isinstance(id, int) and 0 <= id < len(tokens)):
                raise RunError(f"{path} is damaged: the {name} token's id is {id!r}.")
        form = FORMS.get(level)
        odd = [token for id, token in enumerate(tokens) if form and id not in (unknown, end) and not form(token)]
        if odd:
            raise RunError(f"{path} is damaged: {odd[0]!r} is no {level}.")
        return cls(level, tuple(tokens), unknown, split_on, record.get("lowercase") is True, marks, end)
