import numpy as np
import onnxruntime
import pytest
from onnx import helper

from charrnn_cli.generation.onnx_nodes import BOOL, FLOAT, INT, Nodes, model_bytes, tensor_info


def run(nodes: Nodes, output: str, kind: int, **inputs: np.ndarray) -> np.ndarray:
    given = [tensor_info(name, BOOL if array.dtype == bool else FLOAT, *array.shape) for name, array in inputs.items()]
    graph = helper.make_graph(nodes.nodes, "test", given, [tensor_info(output, kind)], nodes.constants)
    graph.output[0].type.tensor_type.ClearField("shape")
    session = onnxruntime.InferenceSession(model_bytes(graph), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_product_of_8_bits_is_close_to_the_exact_one(bounded, with_bias):
    random, nodes = np.random.default_rng(0), Nodes()
    x = random.uniform(-1, 1, (4, 64)).astype(np.float32) * np.float32(1 if bounded else 30)
    weights = random.normal(0, 1, (64, 8)).astype(np.float32)
    weights[:, 3] = 0
    bias = random.normal(0, 1, 8).astype(np.float32)
    found = run(nodes, nodes.product("x", weights, bounded, bias if with_bias else None), FLOAT, x=x)
    exact = x @ weights + (bias if with_bias else 0)
    assert np.abs(found - exact).max() < 0.03 * np.abs(x @ weights).max()


def test_columns_of_a_matrix():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    for index in (0, -1):
        nodes = Nodes()
        np.testing.assert_array_equal(run(nodes, nodes.column("x", index), FLOAT, x=x), x[:, [index]])
    nodes = Nodes()
    np.testing.assert_array_equal(run(nodes, nodes.as_vector(nodes.column("x", 0)), FLOAT, x=x), x[:, 0])
    nodes = Nodes()
    np.testing.assert_array_equal(run(nodes, nodes.split("x", 1, 3)[1], FLOAT, x=x), x[:, 1:])


def test_true_values_are_counted_by_row():
    x = np.array([[True, False, True], [False, False, False]])
    nodes = Nodes()
    assert run(nodes, nodes.count_true("x"), INT, x=x).tolist() == [[2], [0]]


def test_temporary_nodes_are_removed():
    nodes = Nodes()
    kept = nodes.node("Tanh", "x")
    with nodes.temporary():
        nodes.product("x", np.ones((2, 2), np.float32), True)
    assert len(nodes.nodes) == 1
    assert not nodes.constants
    assert nodes.node("Tanh", kept) != kept
