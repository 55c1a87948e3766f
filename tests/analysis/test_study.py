from pathlib import Path

from support import TEXT, train_small

from charrnn_cli.analysis.study import grid_of, study_text
from charrnn_cli.generation.model import load


def test_a_study_has_every_cell_and_a_prediction_for_each_token(folder: Path, fox) -> None:
    train_small(fox, 2)
    (folder / "more.txt").write_text(TEXT, "utf-8")
    model, shares = load(fox), []
    study = study_text(model, ["more.txt"], limit=1100, cpu=True, progress=shares.append)
    grid = grid_of(model)
    assert (grid.states, grid.layers, grid.units) == (("h", "c"), 1, 16)
    assert study.reading.cells.shape == (32, 1100) and study.reading.bits.shape == (1100,)
    assert shares[-1] == 1.0
