from pathlib import Path

import pytest

from charrnn_cli.errors import RunError
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.found_cells import copy_cells, read_cells, save_cells

CELL = {
    **{"name": "quotes", "title": "inside quotes", "measure": "AUC", "state": "c", "layer": 1, "cell": 7, "sign": -1},
    **{"score": 0.97, "control": 0.5, "low": 1, "high": -0.5, "scale": 2.0},
}


def test_cells_belong_to_the_weights_in_which_they_were_found(folder: Path) -> None:
    run = Run(folder)
    assert read_cells(run, "a" * 64) == []
    save_cells(run.cells, [CELL], "a" * 64, 1000)
    assert read_cells(run, "a" * 64) == [CELL]
    assert read_cells(run, "b" * 64) == []


@pytest.mark.parametrize(
    "content",
    ["[]", '{"cells": []}', '{"weights_sha256": "a", "cells": [1]}', '{"weights_sha256": "a", "cells": [{}]}'],
)
def test_a_damaged_file_is_named(folder: Path, content: str) -> None:
    run = Run(folder)
    run.cells.write_text(content)
    with pytest.raises(RunError, match=r"cells\.json"):
        read_cells(run, "a")


def test_exported_weights_take_their_cells_along_but_not_those_of_others(folder: Path) -> None:
    run, new = Run(folder / "run"), Run(folder / "new")
    run.folder.mkdir()
    new.folder.mkdir()
    for content, own in (("{", "a"), (None, "other"), (None, "a")):
        if content is None:
            save_cells(run.cells, [CELL], "a", 1000)
        else:
            run.cells.write_text(content)
        copy_cells(run, own, new.cells, "float16")
        assert read_cells(new, "float16") == ([CELL] if content is None and own == "a" else [])
