"""Surprisals as rows: tab-separated values with a header, or JSON objects."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from charrnn_cli.terminal.records import json_line
from charrnn_cli.wording import visible

if TYPE_CHECKING:
    from charrnn_cli.generation.surprisal import TokenSurprisal
    from charrnn_cli.generation.word_surprisal import WordSurprisal

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})


def print_json_rows(rows: "Iterable[TokenSurprisal | WordSurprisal]") -> None:
    """Prints one JSON object per row."""
    for row in rows:
        sys.stdout.write(json_line(row._asdict(), sys.stdout))


def print_table(rows: "Iterable[TokenSurprisal | WordSurprisal]") -> None:
    """Prints a header, then one row per line."""
    for number, row in enumerate(rows):
        if number == 0:
            sys.stdout.write("\t".join(row._fields) + "\n")
        sys.stdout.write("\t".join(map(_cell, row)) + "\n")


def _cell(value: object) -> str:
    """A value in a table: four decimals, 0 or 1, or text whose control characters and backslashes are escapes."""
    if isinstance(value, float):
        return f"{value:.4f}"
    return visible(value.translate(ESCAPES)) if isinstance(value, str) else f"{value:d}"
