import subprocess
import sys

import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.network.cells import CELLS, cell_spec


@pytest.mark.parametrize("name", CELLS)
def test_a_cells_weights_have_the_shapes_that_its_entry_says(name):
    spec, hidden, inputs = CELLS[name], 5, 3
    layer = spec.module(inputs, hidden)
    shapes = {weight: tuple(value.shape) for weight, value in layer.named_parameters()}
    assert shapes == {
        "weight_ih_l0": (spec.gates * hidden, inputs),
        "weight_hh_l0": (spec.gates * hidden, hidden),
        "bias_ih_l0": (spec.gates * hidden,),
        "bias_hh_l0": (spec.gates * hidden,),
    }


def test_an_unknown_cell_is_refused_with_the_known_ones():
    assert cell_spec("gru") is CELLS["gru"]
    with pytest.raises(UsageError, match=r"`cell` must be lstm, gru.* or \w+, got 'foo'\."):
        cell_spec("foo")


def test_the_table_of_cells_does_not_load_torch_or_numpy():
    code = "import sys, charrnn_cli.network.cells; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
