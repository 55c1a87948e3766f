"""A cell on a text in the terminal: every character tinted by the cell's value, or with a mark below it."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from charrnn_cli.analysis.cell_view import CellView
from charrnn_cli.terminal.colors import color_console
from charrnn_cli.wording import visible

PLAIN_WIDTH = 80  # without a terminal
NARROWEST = 20
TINTS = 8  # tints on each side of 0
NEGATIVE, MIDDLE, POSITIVE = (60, 140, 230), (250, 250, 250), (230, 130, 20)  # blue and orange: safe if color-blind
MARKS = ((-0.6, "="), (-0.2, "-"), (0.2, " "), (0.6, "+"), (1.0, "#"))  # of tints up to a number
SEARCHED_BACK = 24  # columns before the end of a row in which a space is looked for, to wrap there


@dataclass(frozen=True)
class TintedCharacter:
    """A character as it is shown, with its tint from -1 to 1."""

    shown: str
    tint: float


TintedRow = Sequence[TintedCharacter]


def print_heat_map(view: CellView) -> None:
    """Prints a cell on its passage to stdout, in color if that is possible."""
    console = color_console()
    width = max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else PLAIN_WIDTH
    if console is None:
        sys.stdout.write(plain_map(view, width))
    else:
        print_colored(view, console, width)


def print_colored(view: CellView, console: Console, width: int) -> None:
    """Prints the passage with a tint behind every character, below a legend."""
    console.print(Text(heading(view)))
    console.print(color_legend(view.scale), soft_wrap=True)
    console.print()
    for row in rows(view, width):
        line = Text(no_wrap=True)
        for character in row:
            line.append(character.shown, tint_style(character.tint))
        console.print(line, soft_wrap=True)


def plain_map(view: CellView, width: int) -> str:
    """The passage with a mark below every character, below a legend."""
    lines = [heading(view), mark_legend(view.scale), ""]
    for row in rows(view, width):
        marks = "".join(mark_of(character.tint) * cell_len(character.shown) for character in row)
        lines += ["".join(character.shown for character in row).rstrip(), marks.rstrip()]
    return "\n".join(lines) + "\n"


def heading(view: CellView) -> str:
    """Which cell is shown."""
    return f"{view.address}: {view.title}" if view.title else f"cell {view.address}"


def color_legend(scale: float) -> Text:
    """The tints from the lowest value to the highest."""
    legend = Text(f"{-scale:.2g} ")
    for level in range(-TINTS, TINTS + 1):
        legend.append(" ", tint_style(level / TINTS))
    return legend.append(f" {scale:+.2g}")


def mark_legend(scale: float) -> str:
    """What the marks mean."""
    low, high = f"{MARKS[0][0] * scale:.2g}", f"{MARKS[3][0] * scale:.2g}"
    meanings = (f"below {low}", "negative", "near 0", "positive", f"above {high}")
    return ", ".join(f"{mark.strip() or 'blank'} {meaning}" for (_, mark), meaning in zip(MARKS, meanings, strict=True))


def rows(view: CellView, width: int) -> Iterator[TintedRow]:
    """The characters of a passage in rows of at most `width` columns. A line break is shown as a space."""
    row: list[TintedCharacter] = []
    columns = 0
    for piece, tint in zip(view.pieces, view.tints.tolist(), strict=True):
        for character in piece:
            shown = " " if character in "\n\t" else visible(character)
            if columns + cell_len(shown) > width:
                cut = _cut(row)
                yield row[:cut]
                row = row[cut:]
                columns = sum(cell_len(one.shown) for one in row)
            row.append(TintedCharacter(shown, tint))
            columns += cell_len(shown)
            if character == "\n":
                yield row
                row, columns = [], 0
    if row:
        yield row


def tint_style(tint: float) -> Style:
    """Black on the color of a tint, in few steps so that neighbors share one."""
    red, green, blue = tint_color(round(tint * TINTS) / TINTS)
    return Style(color="rgb(0,0,0)", bgcolor=f"rgb({red},{green},{blue})")


def tint_color(tint: float) -> tuple[int, int, int]:
    """Red, green and blue: from blue (-1) through white (0) to orange (1)."""
    far = POSITIVE if tint >= 0 else NEGATIVE
    red, green, blue = (round(near + abs(tint) * (end - near)) for near, end in zip(MIDDLE, far, strict=True))
    return red, green, blue


def mark_of(tint: float) -> str:
    """The mark of a tint."""
    return next(mark for least, mark in MARKS if tint <= least)


def _cut(row: TintedRow) -> int:
    """Where a full row ends: after its last space, or at its end if there is none near."""
    for place in range(len(row) - 1, max(len(row) - SEARCHED_BACK, 0), -1):
        if row[place].shown == " ":
            return place + 1
    return len(row)
