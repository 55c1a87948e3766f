import numpy as np
import onnxruntime
import pytest
from onnx import helper

from charrnn_cli.generation import numpy_cells, onnx_cells
from charrnn_cli.generation.onnx_nodes import FLOAT, Nodes, model_bytes, tensor_info
from charrnn_cli.network.cells import CELLS

B, H = 3, 5


@pytest.mark.parametrize("name", onnx_cells.ONNX_STEPS)
def test_a_step_computes_the_same_as_in_numpy(name):
    spec, numpy_cell, random = CELLS[name], numpy_cells.NUMPY_STEPS[name], np.random.default_rng(0)
    rows = spec.gates * H
    scale = np.repeat(np.array(numpy_cell.gate_scales, np.float32), H)
    of_input, of_state = (random.normal(0, 1, (B, rows)).astype(np.float32) for _ in range(2))
    bias = random.normal(0, 1, rows).astype(np.float32)
    states = {part: random.uniform(-1, 1, (B, H)).astype(np.float32) for part in spec.states}
    nodes = Nodes()
    names = onnx_cells.ONNX_STEPS[name](nodes, "of_input", "of_state", list(states), bias)
    inputs = {"of_input": of_input, "of_state": of_state, **states}
    graph = helper.make_graph(
        nodes.nodes,
        "step",
        [tensor_info(key, FLOAT, *array.shape) for key, array in inputs.items()],
        [tensor_info(key, FLOAT, B, H) for key in names],
        nodes.constants,
    )
    session = onnxruntime.InferenceSession(model_bytes(graph), providers=["CPUExecutionProvider"])
    used = {one.name for one in session.get_inputs()}
    found = session.run(None, {key: array for key, array in inputs.items() if key in used})
    expected = numpy_cell.step(of_input * scale, of_state * scale, tuple(states.values()), bias * scale)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
