"""Colors in the terminal: where they are allowed, and text colored by how surprising it was."""

import math
import os

from rich.console import Console
from rich.text import Text

# The style of a token, by its minimum probability.
SURPRISE_STYLES = ((0.5, ""), (0.2, "green"), (0.05, "yellow"), (0.01, "dark_orange"), (0.0, "bold red"))


def colors_refused() -> bool:
    """Whether the environment variable NO_COLOR is set (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def color_console() -> Console | None:
    """Stdout in color; None if it is not a terminal, or if NO_COLOR or TERM refuse colors."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal and not console.no_color and console.color_system else None


def tinted(text: str, log_probability: float) -> Text:
    """A token in the color of its probability."""
    probability = math.exp(log_probability)
    style = next(style for least, style in SURPRISE_STYLES if probability >= least)
    return Text(text, style, tab_size=8)


def legend(nats: float) -> Text:
    """What the colors mean, and the mean loss in nats per token."""
    line = Text(f"{nats:.2f} nats per token; probability")
    for least, style in SURPRISE_STYLES:
        line.append(f" {f'from {least:g}' if least else 'below'}", style)
    return line
