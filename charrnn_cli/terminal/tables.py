"""Tables that fit into the width of a terminal: columns are left out or continue below, and words are never cut."""

import shutil
import sys
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len

from charrnn_cli.terminal.console import aligned

WIDEST_VALUE = 40  # columns for a value that can be wrapped
NARROWEST_VALUE = 14
GAP = 2  # columns between two columns of `aligned`
Rows = Sequence[Sequence[str]]


def output_width() -> int | None:
    """The width of the terminal that shows stdout; None if stdout is not a terminal, so that nothing is left out."""
    in_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if in_terminal else None


def fitted(rows: Rows, importance: Sequence[str], width: int | None) -> str:
    """A table of the columns that fit, chosen by the importance of their headings; a note names the others."""
    if width is None:
        return aligned(rows)
    header, shown = list(rows[0]), {header_index(rows, importance[0])}
    for heading in importance[1:]:
        more = {*shown, header_index(rows, heading)}
        if table_width(columns(rows, more)) <= width:
            shown = more
    table = aligned(columns(rows, shown))
    missing = [heading for column, heading in enumerate(header) if column not in shown]
    return f"{table}\n{missing_note(missing, width)}" if missing else table


def header_index(rows: Rows, heading: str) -> int:
    return list(rows[0]).index(heading)


def columns(rows: Rows, chosen: set[int]) -> list[list[str]]:
    """The rows with only the chosen columns."""
    return [[cell for column, cell in enumerate(row) if column in chosen] for row in rows]


def table_width(rows: Rows) -> int:
    return max(map(cell_len, aligned(rows).splitlines()), default=0)


def missing_note(missing: Sequence[str], width: int) -> str:
    text = f"Not shown: {', '.join(missing)}. A wider terminal or --json shows everything."
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def facts_table(rows: Rows, width: int | None) -> str:
    """Names and values. Long values continue on the next line, between two words."""
    if width is None:
        return aligned(rows)
    room = max(width - GAP - max(cell_len(row[0]) for row in rows), NARROWEST_VALUE)
    return aligned([line for row in rows for line in wrapped(row, room)])


def side_by_side(rows: Rows, width: int | None) -> str:
    """A column of names and columns of values, which continue in a table below if they do not fit side by side."""
    values = range(1, len(rows[0]))
    if width is None:
        return aligned([line for row in rows for line in wrapped(row, WIDEST_VALUE)])
    room = (width - max(cell_len(row[0]) for row in rows)) // len(values) - GAP
    lines = [line for row in rows for line in wrapped(row, min(max(room, NARROWEST_VALUE), WIDEST_VALUE))]
    tables, shown = [], {0}
    for column in values:
        if len(shown) > 1 and table_width(columns(lines, {*shown, column})) > width:
            tables.append(aligned(columns(lines, shown)))
            shown = {0}
        shown = {*shown, column}
    return "\n\n".join([*tables, aligned(columns(lines, shown))])


def wrapped(row: Sequence[str], width: int) -> list[list[str]]:
    """The row as several rows, with every cell except the first wrapped between words."""
    cells = [[row[0]]]
    cells += [textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""] for cell in row[1:]]
    height = max(map(len, cells))
    return [[cell[line] if line < len(cell) else "" for cell in cells] for line in range(height)]
