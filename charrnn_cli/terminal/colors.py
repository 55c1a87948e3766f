"""Text tinted by how unlikely it was."""

import math

from rich.console import Console
from rich.text import Text

SURPRISE = ((0.5, ""), (0.2, "green"), (0.05, "yellow"), (0.01, "dark_orange"), (0.0, "bold red"))  # from a probability


def colour_console() -> Console | None:
    """Stdout in colour; None where it is no terminal, or NO_COLOR or TERM forbid it."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal and not console.no_color and console.color_system else None


def tinted(text: str, log_probability: float) -> Text:
    """Text in the colour of how unlikely it was."""
    style = next(style for least, style in SURPRISE if math.exp(log_probability) >= least)
    return Text(text, style, tab_size=8)


def legend(nats: float) -> Text:
    """What the colours mean, and how unlikely the text was on average."""
    line = Text(f"{nats:.2f} nats per token; probability")
    for least, style in SURPRISE:
        line.append(f" {f'from {least:g}' if least else 'below'}", style)
    return line
