"""A setting: a field of a frozen dataclass that has a default, a range, a help text and a group in the help.

`Checked` dataclasses refuse values outside of the range or the choices. Help texts and error messages write the name of
a setting in backticks; the command line turns it into the flag.
"""

import dataclasses
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from charrnn_cli.errors import UsageError

Settings = TypeVar("Settings")
Value = TypeVar("Value")
NAME_IN_TEXT = re.compile(r"`(\w+)(?:=([^`]*))?`")
TYPES: Mapping[Any, tuple[Any, str]] = {  # the types that are taken for the type of a setting, and their name
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    bool: (bool, "True or False"),
    str: (str, "a text"),
    tuple: ((tuple, list), "a list of texts"),
}


def setting(default: Value, help: str, group: str, interval: str | None = None, shown: str | None = None) -> Value:
    """A field of a settings dataclass.

    `interval` is the range of a number, such as "(0, 1]"; `shown` describes the default where the value itself would
    say too little.
    """
    metadata = {"help": help, "group": group, "interval": interval, "shown": shown}
    result: Value = field(default=default, metadata=metadata)
    return result


class Checked:
    """Checks every field of a settings dataclass against its range and its choices. Raises UsageError."""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for name in _rules(kind):
            check_value(kind, name, getattr(self, name))
        self.check()

    def check(self) -> None:
        """Checks what involves several settings. Raises UsageError."""


def check_value(kind: Any, name: str, value: Any) -> None:
    """Checks a value of one setting of a dataclass: its type, its range and its choices. Raises UsageError."""
    default, interval, choices, types = _rules(kind)[name]
    if value is None and default is None:
        return
    if choices:
        check_choice(name, value, Literal[choices])
    elif interval is not None and (value is None or _is_a(value, float)) and not _inside(value, interval):
        raise UsageError(f"`{name}` must be {_in_words(interval, value)}, got {value}.")
    elif types and not any(_is_a(value, one) for one in types):
        raise UsageError(f"`{name}` must be {TYPES[types[0]][1]}, got {value!r}.")


def check_choice(name: str, value: Any, literal: Any) -> None:
    """Raises UsageError for a value that is not one of those of a Literal."""
    choices = get_args(literal)
    if value not in choices:
        raise UsageError(f"`{name}` must be {_or(choices)}, got {value!r}.")


def check_whole(name: str, value: Any, least: float = -math.inf) -> None:
    """Raises UsageError for a value that is not a whole number, or is less than `least`."""
    if not _is_a(value, int):
        raise UsageError(f"`{name}` must be a whole number, got {value!r}.")
    if value < least:
        raise UsageError(f"`{name}` must be at least {least}, got {value}.")


def check_text(name: str, value: Any) -> None:
    """Raises UsageError for a value that is not a text."""
    if not isinstance(value, str):
        raise UsageError(f"`{name}` must be a text, got {value!r}.")


def check_path(name: str, value: Any) -> Path:
    """The value as a path. Raises UsageError for one that is not a path."""
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"`{name}` must be a path, got {value!r}.")
    return Path(value)


def check_paths(name: str, values: Any) -> list[str]:
    """A path, or several, as texts. Raises UsageError for other values."""
    if not isinstance(values, (str, os.PathLike, Iterable)):
        raise UsageError(f"`{name}` must be a path or a list of paths, got {values!r}.")
    several = [values] if isinstance(values, (str, os.PathLike)) else list(values)
    for value in several:
        check_path(name, value)
    return [os.fspath(value) for value in several]  # an empty text stays one: Path("") is the folder "."


def check_text_list(name: str, values: Any) -> list[str]:
    """A text, or several, as a list. Raises UsageError for other values."""
    several = [values] if isinstance(values, str) else values
    if not _is_a(several, tuple):
        raise UsageError(f"`{name}` must be a text or a list of texts, got {values!r}.")
    return list(several)


def check_function(name: str, value: Any) -> None:
    """Raises UsageError for a value that cannot be called."""
    if not callable(value):
        raise UsageError(f"`{name}` must be a function, got {value!r}.")


def settings_from(kind: type[Settings], record: Mapping[str, Any]) -> Settings:
    """A dataclass of `kind` from a JSON object; unknown keys, of another version, are ignored.

    Raises ValueError for a value of the wrong type, UsageError for one out of range.
    """
    import msgspec  # not loaded for --help

    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError as error:  # a ValueError only in newer versions
        raise ValueError(str(error)) from error


def with_names(text: str, written: Callable[[str, str | None], str]) -> str:
    """The text with each setting in backticks, `name` or `name=value`, written another way, such as --name value."""
    return NAME_IN_TEXT.sub(lambda match: written(match[1], match[2]), text)


@cache
def defaults(kind: Any) -> dict[str, Any]:
    """The default of each setting."""
    return {one.name: one.default for one in dataclasses.fields(kind)}


@cache
def _rules(kind: Any) -> dict[str, tuple[Any, str | None, tuple[str, ...], tuple[Any, ...]]]:
    """Default, interval, choices and types of each setting of a dataclass."""
    hints = get_type_hints(kind, vars(sys.modules[kind.__module__]))
    return {
        one.name: (one.default, one.metadata.get("interval"), _choices(hints[one.name]), _types(hints[one.name]))
        for one in dataclasses.fields(kind)
    }


def _choices(hint: Any) -> tuple[str, ...]:
    """The values of a Literal, or of a Literal that may be None."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((get_args(part) for part in get_args(hint) if get_origin(part) is Literal), ())


def _types(hint: Any) -> tuple[Any, ...]:
    """The types among `TYPES` of a hint such as `float | None` or `tuple[str, ...]`."""
    if get_origin(hint) in TYPES:
        return (get_origin(hint),)
    return tuple(part for part in (hint, *get_args(hint)) if part in TYPES)


def _is_a(value: Any, type: Any) -> bool:
    """Whether a setting of this type takes the value; True and False are not numbers."""
    taken = TYPES[type][0]
    if isinstance(value, (tuple, list)):
        return type is tuple and all(isinstance(part, str) for part in value)
    return isinstance(value, taken) and isinstance(value, bool) == (type is bool)


def _limits(interval: str) -> tuple[float, float]:
    low, high = interval[1:-1].split(",")
    return float(low), float(high)


def _inside(value: float | None, interval: str) -> bool:
    """Whether a number lies in an interval such as "(0, 1]"; NaN and None lie in none."""
    if value is None:
        return False
    low, high = _limits(interval)
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    return above and below


def _in_words(interval: str, value: float | None) -> str:
    """What a setting must be that got this value."""
    low, high = _limits(interval)
    if low == -math.inf:
        return "a number"
    if high == math.inf:
        finite = "finite and " if value == math.inf else ""
        return f"{finite}at least {low:g}" if interval[0] == "[" else f"{finite}greater than {low:g}"
    return f"in {interval}"


def _or(choices: tuple[str, ...]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))
