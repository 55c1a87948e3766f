"""Cells on a text as a picture, drawn with matplotlib, an optional dependency."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn_cli.analysis.cell_view import CellView
from charrnn_cli.errors import UsageError
from charrnn_cli.terminal.heat_map import TintedRow, heading, rows, tint_color
from charrnn_cli.terminal.pictures import new_figure, save_figure

COLUMNS = 76
FONT_SIZE = 11
CHARACTER_WIDTH, LINE_HEIGHT = 0.615 * FONT_SIZE / 72, 1.45 * FONT_SIZE / 72  # inches
EDGE, TITLE_LINES = 0.25, 2  # inches, lines

Color = tuple[float, float, float]


def save_cells_picture(views: Sequence[CellView], path: Path) -> None:
    """Writes the cells as a PNG file, one below the other. Raises UsageError, DiskError."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"--png {path} must end in .png.")
    panels = [list(rows(view, COLUMNS)) for view in views]
    lines = sum(len(panel) + TITLE_LINES for panel in panels)
    width, height = COLUMNS * CHARACTER_WIDTH + 2 * EDGE, lines * LINE_HEIGHT + 2 * EDGE
    figure = new_figure("--png", figsize=(width, height), dpi=200)
    area = (EDGE / width, EDGE / height, 1 - 2 * EDGE / width, 1 - 2 * EDGE / height)
    axes = figure.add_axes(area)
    axes.set_axis_off()
    top = 0
    for view, panel in zip(views, panels, strict=True):
        _draw(axes, view, panel, top)
        top += len(panel) + TITLE_LINES
    axes.set(xlim=(0, COLUMNS), ylim=(lines, 0))  # a picture in the axes changes them
    save_figure(figure, path, facecolor="white")


def _draw(axes: Any, view: CellView, panel: Sequence[TintedRow], top: int) -> None:
    """Draws the title of a cell in the line `top`, its scale, and the tinted text below."""
    axes.text(0, top + 0.5, heading(view), fontsize=FONT_SIZE, fontweight="bold", va="center")
    colors = [[color_of(character.tint) for character in row] for row in panel]
    blank = [(1.0, 1.0, 1.0)]
    image = [row + blank * (COLUMNS - len(row)) for row in colors]
    _tint(axes, image, 0, COLUMNS, top + 1, top + 1 + len(panel))
    for number, row in enumerate(panel):
        for column, character in enumerate(row):
            if character.shown != " ":
                place = (column + 0.5, top + 1.5 + number)
                axes.text(*place, character.shown, family="monospace", fontsize=FONT_SIZE, ha="center", va="center")
    _draw_scale(axes, view, top)


def _draw_scale(axes: Any, view: CellView, top: int) -> None:
    """Draws the tints from the lowest value to the highest at the right end of the line `top`."""
    left, right = COLUMNS - 22, COLUMNS - 7
    _tint(axes, [[color_of(tint / 20) for tint in range(-20, 21)]], left, right, top + 0.25, top + 0.75)
    small = {"fontsize": FONT_SIZE - 2, "va": "center", "color": "0.3"}
    axes.text(left - 1, top + 0.5, f"{-view.scale:.2g}", ha="right", **small)
    axes.text(right + 1, top + 0.5, f"{view.scale:+.2g}", ha="left", **small)


def _tint(axes: Any, image: list[list[Color]], left: float, right: float, top: float, bottom: float) -> None:
    axes.imshow(image, extent=(left, right, bottom, top), aspect="auto", interpolation="nearest")


def color_of(tint: float) -> Color:
    """Red, green and blue, from 0 to 1."""
    red, green, blue = (part / 255 for part in tint_color(tint))
    return red, green, blue
