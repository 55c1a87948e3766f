"""The cells of a network by name: `c:1:237` is the cell 237 of c in layer 1, all counted from 1."""

import re
from dataclasses import dataclass

from charrnn_cli.errors import UsageError

PLACE = re.compile(r"(?:(\w+):)?(\d+):(\d+)")


@dataclass(frozen=True)
class CellAddress:
    """Where a cell is; layers and cells count from 0."""

    state: str
    layer: int
    cell: int

    def __str__(self) -> str:
        return f"{self.state}:{self.layer + 1}:{self.cell + 1}"


@dataclass(frozen=True)
class CellGrid:
    """All cells of a network, in the order of `CellReading.cells`."""

    states: tuple[str, ...]
    layers: int
    units: int

    def address(self, index: int) -> CellAddress:
        """The place of a cell by its number."""
        rest, cell = divmod(index, self.units)
        state, layer = divmod(rest, self.layers)
        return CellAddress(self.states[state], layer, cell)

    def index(self, address: CellAddress) -> int:
        """The number of a cell by its place."""
        return (self.states.index(address.state) * self.layers + address.layer) * self.units + address.cell

    def parse(self, text: str) -> CellAddress | None:
        """The place that a text such as `c:1:237` names; None if it names none.

        Without a state, the last one is meant: c of an LSTM, which carries what it remembers. Raises UsageError if the
        network has no such cell.
        """
        match = PLACE.fullmatch(text)
        if match is None:
            return None
        address = CellAddress(match[1] or self.states[-1], int(match[2]) - 1, int(match[3]) - 1)
        in_layers, in_units = 0 <= address.layer < self.layers, 0 <= address.cell < self.units
        if not (address.state in self.states and in_layers and in_units):
            raise UsageError(
                f"the network has no cell {text}. Its states are {' and '.join(self.states)}, its layers 1 to "
                f"{self.layers}, its cells 1 to {self.units}. Pass one as `cell={self.states[-1]}:1:{self.units}`."
            )
        return address
