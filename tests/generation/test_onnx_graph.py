import onnx
import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_graph import Graph
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights

V = 9


def graph(cell: str = "lstm", **settings) -> Graph:
    torch.manual_seed(0)
    shape = ModelSettings(cell, hidden=8, layers=2, **{"embedding": 4, **settings})
    return Graph(NumpyEngine(get_weights(LanguageModel(shape, V)), shape))


@pytest.mark.parametrize("cell", CELLS)
def test_a_graph_has_a_state_for_each_state_of_each_layer(cell):
    assert graph(cell).states == [f"{name}{k}" for k in range(2) for name in CELLS[cell].states]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("settings", [{}, {"embedding": 0}, {"layer_norm": True, "residual": True, "embedding": 8}])
def test_the_files_declare_their_inputs_and_outputs(cell, settings):
    found = graph(cell, **settings)
    reading = onnx.load_model_from_string(found.reading()).graph
    assert [one.name for one in reading.input] == ["ids", *found.states]
    assert len(reading.output) == 1 + len(found.states)
    for scored in (False, True):
        writing = onnx.load_model_from_string(found.writing(scored)).graph
        filters = ["mask", "n", "limit", "rate", "top_p", "least", *["A"] * scored]
        assert [one.name for one in writing.input] == ["tokens", "ids", "uniforms", *found.states, *filters]
        assert len(writing.output) == 2 + 3 * scored + len(found.states)
    block = onnx.load_model_from_string(found.reading_block()).graph
    assert [one.name for one in block.input] == ["tokens", "block", *found.states]
    assert len(block.output) == len(found.states)


def test_a_graph_does_not_depend_on_those_that_were_made_before():
    one, other = graph(), graph()
    first = one.reading(), one.writing(scored=True), one.writing(scored=False)
    assert (other.writing(scored=False), other.writing(scored=True), other.reading()) == first[::-1]
