"""Lines and tables for a person, on stderr."""

import sys
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from charrnn_cli.wording import visible


class _Stderr(Console):
    def on_broken_pipe(self) -> None:
        """Nobody listens any more: the work goes on in silence."""
        self.quiet = True


def new_console(silent: bool = False) -> Console:
    """stderr: colours and bars on a terminal, plain text elsewhere, silence where it is closed."""
    silent = silent or sys.stderr is None
    on_terminal = not silent and sys.stderr.isatty()
    return _Stderr(
        stderr=True,
        force_terminal=on_terminal,
        quiet=silent,
        highlight=False,
        markup=False,
        emoji=False,
    )


def say(console: Console, text: str) -> None:
    """A line, or several, for a person; control characters of names and texts are made visible."""
    console.print(Text(visible(text)), soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of columns."""
    rows = [[visible(cell).replace("\t", "\\t") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)
