"""Records for programs: JSON objects on stdout, one per line."""

import json
import sys
from typing import TextIO


def json_line(record: object, stream: TextIO) -> str:
    """A record as a line of JSON for `stream`.

    In a terminal, everything that is not printable is an escape: control characters could change the terminal, and
    others could change the order in which the text is shown.
    """
    line = json.dumps(record, ensure_ascii=False)
    if stream.isatty():
        line = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
    return line + "\n"


def print_record(record: object) -> None:
    """Prints a record to stdout."""
    sys.stdout.write(json_line(record, sys.stdout))
    sys.stdout.flush()
