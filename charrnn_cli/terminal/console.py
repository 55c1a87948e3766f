"""Messages on stderr, and tables."""

import sys
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from charrnn_cli.wording import visible


class _Stderr(Console):
    def on_broken_pipe(self) -> None:
        """If the reader of stderr is gone, the work continues in silence."""
        self.quiet = True


def new_console(silent: bool = False) -> Console:
    """A console on stderr: colors and bars in a terminal, plain text elsewhere, silent if stderr is closed."""
    silent = silent or sys.stderr is None
    in_terminal = not silent and sys.stderr.isatty()
    return _Stderr(
        stderr=True,
        force_terminal=in_terminal,
        quiet=silent,
        highlight=False,
        markup=False,
        emoji=False,
    )


def say(console: Console, text: str) -> None:
    """Prints one or several lines for a person, with control characters made visible."""
    console.print(Text(visible(text)), soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table: each column as wide as its widest cell."""
    rows = [[visible(cell).replace("\t", "\\t") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)
