from pathlib import Path

import numpy as np
import pytest

from charrnn_cli.analysis.addresses import CellAddress
from charrnn_cli.analysis.cell_view import CellView
from charrnn_cli.errors import UsageError
from charrnn_cli.terminal.cell_pictures import save_cells_picture

VIEW = CellView(CellAddress("c", 0, 4), "inside quotes", 0, list('"a $b" c\n'), np.linspace(-2, 2, 9, dtype="f4"), 2.0)


def test_a_picture_is_a_png_file(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    save_cells_picture([VIEW, VIEW], folder / "cell.png")
    assert (folder / "cell.png").read_bytes().startswith(b"\x89PNG")


def test_another_ending_is_an_error(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png"):
        save_cells_picture([VIEW], folder / "cell.gif")
