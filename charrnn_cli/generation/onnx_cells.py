"""The recurrent cells as ONNX nodes. `ONNX_STEPS` has an entry for each cell that the ONNX engine computes.

Sizes: B texts, H hidden, G gates.
"""

from collections.abc import Callable

from charrnn_cli.generation.numpy_cells import Array
from charrnn_cli.generation.onnx_nodes import Nodes

# Takes the products of input and state with their weights (B, GH), with gates in the order of `numpy_cells` but without
# its scales, the states (B, H) and the state bias (GH,). Returns the new states (B, H). The first of them must lie
# between -1 and 1, because it is rounded to 8 bits.
Step = Callable[[Nodes, str, str, list[str], Array], list[str]]


def lstm_step(nodes: Nodes, of_input: str, of_state: str, states: list[str], bias: Array) -> list[str]:
    """Computes the same as `numpy_cells.lstm_step`; the gates are in the order i, f, o, g."""
    (_, c), H = states, len(bias) // 4
    sigmoids, g = nodes.split(nodes.node("Add", of_input, of_state), 3 * H, H)
    i, f, o = nodes.split(nodes.node("Sigmoid", sigmoids), H, H, H)
    c = nodes.node("Add", nodes.node("Mul", f, c), nodes.node("Mul", i, nodes.node("Tanh", g)))
    return [nodes.node("Mul", o, nodes.node("Tanh", c)), c]


def gru_step(nodes: Nodes, of_input: str, of_state: str, states: list[str], bias: Array) -> list[str]:
    """Computes the same as `numpy_cells.gru_step`."""
    (h,), H = states, len(bias) // 3
    of_state = nodes.node("Add", of_state, nodes.constant(bias))
    (input_r, input_z, input_n), (state_r, state_z, state_n) = (nodes.split(x, H, H, H) for x in (of_input, of_state))
    r = nodes.node("Sigmoid", nodes.node("Add", input_r, state_r))
    z = nodes.node("Sigmoid", nodes.node("Add", input_z, state_z))
    n = nodes.node("Tanh", nodes.node("Add", input_n, nodes.node("Mul", r, state_n)))
    return [nodes.node("Add", n, nodes.node("Mul", z, nodes.node("Sub", h, n)))]


def rnn_step(nodes: Nodes, of_input: str, of_state: str, states: list[str], bias: Array) -> list[str]:
    """Computes the same as `numpy_cells.rnn_step`."""
    return [nodes.node("Tanh", nodes.node("Add", of_input, of_state))]


ONNX_STEPS: dict[str, Step] = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}
