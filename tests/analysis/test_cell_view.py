from pathlib import Path

import pytest
from support import TEXT, train_small

from charrnn_cli.analysis.addresses import CellAddress
from charrnn_cli.analysis.cell_view import view_cell, wanted_cell
from charrnn_cli.analysis.study import study_text
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.model import load
from charrnn_cli.runs.found_cells import save_cells


def test_a_cell_is_wanted_by_its_place_or_by_what_it_tracks(fox) -> None:
    train_small(fox, 2)
    model, address = load(fox), CellAddress("h", 0, 6)
    assert wanted_cell("h:1:7", model).address == address
    assert wanted_cell("quotes", model).address is None
    place = {"state": "h", "layer": 0, "cell": 6, "name": "quotes", "title": "inside quotes", "measure": "AUC"}
    numbers = dict.fromkeys(("sign", "score", "control", "low", "high", "scale"), 1)
    save_cells(fox.cells, [place | numbers], model.stored.checksum, 1000)
    assert wanted_cell("quotes", model).address == address
    with pytest.raises(UsageError, match="Did you mean quotes"):
        wanted_cell("quotas", model)


def test_a_view_has_the_values_of_its_cell(folder: Path, fox) -> None:
    train_small(fox, 2)
    (folder / "more.txt").write_text(TEXT, "utf-8")
    study = study_text(load(fox), ["more.txt"], limit=1000)
    view = view_cell(study, CellAddress("c", 0, 2), None, 10)
    assert view.pieces == list(TEXT[:10]) and view.values.tolist() == study.reading.cells[18, :10].tolist()
    assert abs(view.tints).max() <= 1 and view.record()["passage"]["tokens"] == view.pieces
    assert view_cell(study, CellAddress("c", 0, 2), "line-left", 10).title == "characters left in the line"
