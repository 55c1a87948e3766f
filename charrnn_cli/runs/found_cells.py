"""cells.json in the folder of a model: which of its cells track something that has a name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn_cli.errors import RunError
from charrnn_cli.files import anything_exists, read_json, write_json
from charrnn_cli.runs.folders import Run

FIELDS: dict[str, type | tuple[type, ...]] = {
    **{"name": str, "title": str, "state": str, "measure": str, "layer": int, "cell": int, "sign": int},
    **dict.fromkeys(("score", "control", "low", "high", "scale"), (int, float)),
}


def save_cells(path: Path, cells: Sequence[dict[str, Any]], checksum: str, tokens: int) -> None:
    """Writes the cells that were found on `tokens` tokens in the weights with this checksum. Raises DiskError."""
    write_json(path, {"weights_sha256": checksum, "tokens": tokens, "cells": list(cells)})


def read_cells(run: Run, checksum: str) -> list[dict[str, Any]]:
    """The found cells of the weights with this checksum; none if the file is missing, or is of other weights.

    Raises RunError if the file is damaged.
    """
    record = _record_of(run, checksum)
    return record["cells"] if record else []


def checked_cells(path: Path) -> dict[str, Any]:
    """The content of cells.json. Raises RunError if it is missing or damaged."""
    record = read_json(path)
    cells = record.get("cells")
    if not isinstance(record.get("weights_sha256"), str) or not isinstance(cells, list):
        raise RunError(f"{path} is damaged: it needs weights_sha256 and cells.")
    for cell in cells:
        for name, kind in FIELDS.items():
            if not isinstance(cell, dict) or not isinstance(cell.get(name), kind) or cell[name] is True:
                raise RunError(f"{path} is damaged: a cell has no valid {name}.")
    return record


def copy_cells(run: Run, checksum: str, path: Path, new_checksum: str) -> None:
    """Writes the found cells of a run beside its exported weights, which have another checksum.

    A file that is missing, damaged or of other weights is not copied: it must not stop an export. Raises DiskError.
    """
    try:
        record = _record_of(run, checksum)
    except RunError:
        return
    if record and record["cells"]:
        save_cells(path, record["cells"], new_checksum, record.get("tokens", 0))


def _record_of(run: Run, checksum: str) -> dict[str, Any] | None:
    """The content of cells.json; None if it is missing, or is of other weights. Raises RunError if it is damaged."""
    record = checked_cells(run.cells) if anything_exists(run.cells) else None
    return record if record and record["weights_sha256"] == checksum else None
