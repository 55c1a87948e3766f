"""Numbers, names and networks in words."""

from charrnn_cli.config import ModelSettings, TrainingSettings


def visible(text: str) -> str:
    """The text with control characters written out, such as \\x1b; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text)


def network(settings: ModelSettings) -> str:
    """The shape of a network in a few words."""
    cell = "RNN" if settings.cell == "rnn" else settings.cell.upper()
    return f"{cell} {settings.layers} x {settings.hidden}"


def recipe(settings: TrainingSettings) -> str:
    """How a network is trained, in a few words."""
    until = "until validation stops getting better"
    if settings.bound:
        bound, amount = settings.bound
        until = count(amount, bound)
    names = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}
    if settings.schedule == "epoch-decay":
        schedule = f"times {settings.lr_decay:.3g} each epoch after {settings.max_epoch}"
    else:
        schedule = settings.schedule
    clips = [f"clip {settings.clip:g}"] if settings.clip else []
    clips += [f"clip by value {settings.clip_value:g}"] if settings.clip_value else []
    patience = [f"patience {settings.patience}"] if settings.patience is not None else []
    return ", ".join(
        (
            until,
            f"batch {settings.batch_size} x {settings.seq_length}",
            f"{names[settings.optimizer]} {settings.learning_rate:g} ({schedule})",
            *clips,
            *patience,
        )
    )


def about(amount: float) -> str:
    """An estimate, to two digits: 0.26, 5.6, 110, 1,200."""
    return f"{amount:.2g}" if amount < 10 else f"{float(f'{amount:.2g}'):,.0f}"


def count(amount: float, units: str) -> str:
    """1 step, 2,000 steps, 0.5 minutes."""
    return f"{amount:,.10g} {units.removesuffix('s') if amount == 1 else units}"


def duration(seconds: float | None) -> str:
    """1:02:03 or 2:03; -:-- where nobody knows yet."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(amount: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
