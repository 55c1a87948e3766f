"""log.jsonl: one JSON record for each report of a run."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from charrnn_cli.errors import disk_errors
from charrnn_cli.files import anything_exists, check_regular, write_bytes


class Log:
    """Appends records to a log. Records of steps after `step` are dropped first, because the run repeats those steps.

    Raises DiskError.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self._open_at(step)

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def back_to(self, step: int) -> None:
        """Drops the records of steps after `step`. Raises DiskError."""
        self._file.close()
        self._open_at(step)

    def write(self, record: dict[str, Any]) -> None:
        """Appends a record, in a single write. Raises DiskError."""
        with disk_errors("write", self.path):
            self._file.write(_line(record))

    def _open_at(self, step: int) -> None:
        kept = [record for record in read_log(self.path) if record["step"] <= step and record["kind"] != "end"]
        write_bytes(self.path, b"".join(map(_line, kept)))
        with disk_errors("write", self.path):
            self._file = self.path.open("ab", buffering=0)


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log, in order. Lines that are not complete records are skipped. Raises RunError, DiskError."""
    if not anything_exists(path):
        return
    check_regular(path)
    with disk_errors("read", path), path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and isinstance(record.get("kind"), str) and isinstance(record.get("step"), int):
                yield record


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"
