"""One cell on a passage of a text, as in the figures of Karpathy et al., arXiv 1506.02078."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.analysis.addresses import CellAddress
from charrnn_cli.analysis.findings import scale_of, token_truth
from charrnn_cli.analysis.hypotheses import HYPOTHESES
from charrnn_cli.analysis.passages import lively_passage
from charrnn_cli.analysis.study import Study, grid_of
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.model import Model
from charrnn_cli.runs.found_cells import read_cells
from charrnn_cli.wording import did_you_mean

GLANCE_TOKENS = 10_000  # that are read if it is known where the cell is


@dataclass(frozen=True)
class CellView:
    """A cell after each token of a passage."""

    address: CellAddress
    title: str  # what the cell tracks; empty if that is not known
    start: int  # the first token of the passage in the text
    pieces: list[str]  # what each token adds to the text
    values: NDArray[np.float32]
    scale: float  # the size of a value that gets the strongest tint

    @property
    def tints(self) -> NDArray[np.float32]:
        """The values as tints from -1 to 1."""
        return (self.values / self.scale).clip(-1, 1)

    def record(self) -> dict[str, Any]:
        """The view as a JSON object."""
        place = {"state": self.address.state, "layer": self.address.layer, "cell": self.address.cell}
        values = [round(value, 3) for value in self.values.tolist()]
        return {
            "cell": {**place, "title": self.title or None, "scale": round(self.scale, 4)},
            "passage": {"start": self.start, "tokens": self.pieces, "values": values},
        }


@dataclass(frozen=True)
class WantedCell:
    """A cell that was asked for, by its place or by what it tracks."""

    address: CellAddress | None  # None: it has to be searched
    hypothesis: str | None  # its name


def wanted_cell(asked: str, model: Model) -> WantedCell:
    """The cell that a text such as `quotes` or `c:1:237` asks for. Raises UsageError if the model does not have it."""
    address = grid_of(model).parse(asked)
    if address is not None:
        return WantedCell(address, None)
    if asked not in names():
        raise UsageError(
            f"no cell is called {asked!r}.{did_you_mean(asked, names())} Pass the place of a cell, such as "
            f"`cell=1:1`, or one of: {', '.join(names())}."
        )
    for cell in read_cells(model.run, model.stored.checksum):
        if cell["name"] == asked:
            return WantedCell(CellAddress(cell["state"], cell["layer"], cell["cell"]), asked)
    return WantedCell(None, asked)


def view_cell(study: Study, address: CellAddress, hypothesis: str | None, length: int) -> CellView:
    """A cell on the passage of a study where a hypothesis changes most often; without one, where the text begins."""
    values = study.reading.cells[study.grid.index(address)]
    pieces, part, title = study.text.pieces, slice(0, length), ""
    for known in HYPOTHESES:
        if known.name == hypothesis:
            part, title = lively_passage([token_truth(known, pieces)], pieces, 0, length), known.title
    shown = values[part].astype(np.float32)
    return CellView(address, title, part.start, pieces[part], shown, scale_of(values))


def names() -> list[str]:
    """The names of all hypotheses."""
    return [hypothesis.name for hypothesis in HYPOTHESES]
