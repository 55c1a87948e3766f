"""The arguments of calls, checked before anything is computed."""

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any

from charrnn_cli.config import SamplingSettings, TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.setting import check_value, check_whole, defaults
from charrnn_cli.wording import check_names

MAX_TEXTS = 1_000_000
TOKENS_PER_LINE = 1000  # `lines` without `length` sets the length to this many tokens per line
OF_MANY = ("num", "best_of", "temperatures")  # arguments of `Model.generate_many` that ask for more than one text


def sampling_settings(settings: Mapping[str, Any]) -> SamplingSettings:
    """Settings from keyword arguments. `lines` without `length` makes the length large enough. Raises UsageError."""
    check_names(settings, defaults(SamplingSettings), "writing")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    checked = SamplingSettings(**values)
    if checked.lines > 0 and "length" not in values:
        return dataclasses.replace(checked, length=checked.lines * TOKENS_PER_LINE)
    return checked


def random_seed() -> int:
    """A seed that differs from call to call."""
    return secrets.randbelow(2**32)


def check_texts(num: int, best_of: int | None, seed: int | None) -> None:
    """Raises UsageError for a number of texts or a seed that is not a whole number, or is out of range."""
    check_count("num", num)
    if seed is not None:
        check_whole("seed", seed, 0)
    if best_of is not None:
        check_whole("best_of", best_of)
    if best_of is not None and not num <= best_of <= MAX_TEXTS:
        raise UsageError(f"`best_of` must be between `num` ({num}) and {MAX_TEXTS:,}, got {best_of}.")


def check_count(name: str, count: int) -> None:
    """Raises UsageError for a number of texts that is not a whole number, or is out of range."""
    check_whole(name, count)
    if not 1 <= count <= MAX_TEXTS:
        raise UsageError(f"`{name}` must be between 1 and {MAX_TEXTS:,}, got {count}.")


def check_single(settings: Mapping[str, Any], name: str, writes_lines: bool) -> None:
    """Raises UsageError for settings that ask the model called `name` for several texts."""
    for one in OF_MANY:
        if one in settings:
            raise UsageError(f"`{one}` is for several texts, and this call returns one. Call `generate_many`.")
    if writes_lines and isinstance(lines := settings.get("lines"), int) and lines > 1:
        raise UsageError(
            f"`lines={lines}` asks {name} for several texts, because each of its texts is a line. Leave it out, or "
            "call `generate_many`."
        )


def check_threads(threads: int | None) -> None:
    """Raises UsageError for a number of threads that no engine can use."""
    check_value(TrainingSettings, "threads", threads)
