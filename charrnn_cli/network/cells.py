"""The recurrent cells: one entry in `CELLS` for each. Importing this module does not load torch.

To add a cell, add an entry here and its step to `generation/numpy_cells.py` and `generation/onnx_cells.py`. An engine
without a step for a cell refuses it, and `engine=auto` then takes torch, which computes every cell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrnn_cli.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


def _lstm(inputs: int, hidden: int) -> "nn.Module":
    from torch import nn

    return nn.LSTM(inputs, hidden)


def _gru(inputs: int, hidden: int) -> "nn.Module":
    from torch import nn

    return nn.GRU(inputs, hidden)


def _rnn(inputs: int, hidden: int) -> "nn.Module":
    from torch import nn

    return nn.RNN(inputs, hidden)  # with tanh


@dataclass(frozen=True)
class CellSpec:
    """A recurrent cell with H units.

    Its weights have torch's names and shapes, in this order: `weight_ih_l0` (gates * H, inputs), `weight_hh_l0`
    (gates * H, H), and the biases `bias_ih_l0` and `bias_hh_l0` (gates * H,).
    """

    title: str  # the name in messages
    gates: int  # blocks of H rows in each weight
    states: tuple[str, ...]  # the tensors (B, H) that the cell carries from token to token; the first is its output
    module: Callable[[int, int], "nn.Module"]  # (inputs, H) to one layer with its weights
    function: str  # torch's name of the function that runs the layer
    forget_gate: int | None = None  # which of the gates is the forget gate; None: the cell has none
    bfloat16_on_cpu: bool = False  # whether PyTorch computes it in bfloat16 on a CPU (oneDNN has only the LSTM)


CELLS = {
    # Hochreiter and Schmidhuber 1997; forget gates: Gers et al. 2000. Gates: i, f, g, o.
    "lstm": CellSpec("LSTM", 4, ("h", "c"), _lstm, "lstm", forget_gate=1, bfloat16_on_cpu=True),
    # Cho et al., arXiv 1406.1078. Gates: r, z, n.
    "gru": CellSpec("GRU", 3, ("h",), _gru, "gru"),
    # Elman 1990.
    "rnn": CellSpec("RNN", 1, ("h",), _rnn, "rnn_tanh"),
}


def cell_spec(name: str) -> CellSpec:
    """The cell called `name`. Raises UsageError if there is none."""
    if name not in CELLS:
        *others, last = CELLS
        raise UsageError(f"`cell` must be {', '.join(others)} or {last}, got {name!r}.")
    return CELLS[name]
