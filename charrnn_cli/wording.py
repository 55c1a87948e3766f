"""Numbers, texts and settings in words."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import UsageError

OPTIMIZER_NAMES = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop", "soap": "SOAP"}


def visible(text: str) -> str:
    """The text with control characters as escapes, such as \\x1b; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text)


def network_shape(settings: ModelSettings) -> str:
    """Such as "LSTM 2 x 384": the cell, the layers and the units of each."""
    return f"{settings.cell.upper()} {settings.layers} x {settings.hidden}"


def training_recipe(settings: TrainingSettings, done: float | None = None) -> str:
    """Such as "20 epochs, batch 16 x 64, Adam 0.003 (cosine), clip 1"; `done` is how much of the limit is done."""
    limit = "until the validation loss stops improving"
    if settings.bound:
        name, amount = settings.bound
        limit = quantity(amount, name)
        if done is not None:
            limit += f" in all, {f'{done:.1f}' if name == 'minutes' else f'{done:,}'} done"
    schedule: str = settings.schedule
    if settings.schedule == "epoch-decay":
        schedule = f"times {settings.lr_decay:.3g} each epoch after {settings.max_epoch}"
    parts = [
        limit,
        f"batch {settings.batch_size} x {settings.seq_length}",
        f"{OPTIMIZER_NAMES[settings.optimizer]} {settings.learning_rate:g} ({schedule})",
    ]
    if settings.clip:
        parts.append(f"clip {settings.clip:g}")
    if settings.clip_value:
        parts.append(f"clip by value {settings.clip_value:g}")
    if settings.patience is not None:
        parts.append(f"patience {settings.patience}")
    return ", ".join(parts)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names the known name that is most like `name`, with a space before it; empty if none is."""
    import difflib  # only for errors

    by_lower_case = {one.lower(): one for one in known}
    similar = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f" Did you mean {by_lower_case[similar[0]]}?" if similar else ""


def check_names(
    names: Iterable[str], known: Iterable[str], purpose: str, function: Callable[..., Any] | None = None
) -> None:
    """Raises UsageError for a name that is not one of the `known` settings of `purpose`, such as "training".

    The message may name an argument of `function` too, the function that was called.
    """
    known = list(known)
    for name in names:
        if name not in known:
            others = function.__annotations__ if function else ()  # the names of its arguments
            raise UsageError(f"`{name}` is not a setting of {purpose}.{did_you_mean(name, [*known, *others])}")


def rounded(amount: float) -> str:
    """An estimate with two digits: 0.26, 5.6, 110, 1,200."""
    return f"{amount:.2g}" if amount < 10 else f"{float(f'{amount:.2g}'):,.0f}"


def quantity(amount: float, units: str) -> str:
    """A number with its unit: 1 step, 2,000 steps, 0.5 minutes."""
    return f"{amount:,.10g} {units.removesuffix('s') if amount == 1 else units}"


def duration(seconds: float | None) -> str:
    """Such as 1:02:03 or 2:03; -:-- if it is not known or not finite."""
    if seconds is None or not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def byte_size(amount: float) -> str:
    """A number of bytes in a readable unit: 999 bytes, 1.0 kB, 3.5 MB."""
    if amount < 1000:
        return f"{amount:.0f} bytes"
    for unit in ("kB", "MB"):
        amount /= 1000
        if amount < 1000:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} GB"
