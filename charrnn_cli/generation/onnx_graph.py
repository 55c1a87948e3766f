"""The network as ONNX graphs, with weights of 8 bits.

Weights are rounded to 127 steps per output column, what they are multiplied with to 255 per row: a hidden state lies
between -1 and 1, other inputs are scaled by their largest number. Integer products are exact, so a text does not depend
on how many are written beside it. Sizes: B texts, T tokens, V tokens of the vocabulary, L layers, H hidden, G gates.
"""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from charrnn_cli.generation.numpy_engine import EPSILON, Array, NumpyEngine

OPSET, FORMAT = 17, 8  # of ONNX, the oldest that has all we use
ZERO = np.uint8(128)  # the byte that stands for 0
LARGEST = np.float32(127)
LARGEST_WEIGHT = np.float32(63)  # older processors add two products in 16 bits
FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """The nodes of one step, and what is made of them."""

    def __init__(self, engine: NumpyEngine) -> None:
        self.engine, self.settings = engine, engine.settings
        parts = "hc" if self.settings.cell == "lstm" else "h"
        self.states = [f"{part}{k}" for k in range(self.settings.layers) for part in parts]
        gates = np.repeat(np.array([2, 2, 2, 1], np.float32), self.settings.hidden)  # of which NumPy has three halved
        self.whole = gates if self.settings.cell == "lstm" else np.float32(1)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.outputs = self.step()

    def reading(self) -> bytes:
        """ids (B,) and states (B, H) to logits (B, V) and states, as ONNX has it in a file."""
        V, H = len(self.engine.head_bias), self.settings.hidden
        given = [_value("ids", INT, "B"), *(_value(name, FLOAT, "B", H) for name in self.states)]
        logits, *states = self.outputs
        made = [_value(logits, FLOAT, "B", V), *(_value(name, FLOAT, "B", H) for name in states)]
        return _model(helper.make_graph(self.nodes, "read", given, made, self.constants))

    def writing(self, scored: bool) -> bytes:
        """ids (B,), states (B, H), uniforms (B, T) and filters to T drawn tokens, as ONNX has it in a file.

        The outputs: ids (B, T), the weights that they were drawn from, in all, (B, T), the log-probabilities before any
        filter (B, T) where those are asked for, and states (B, H). The filters are those of `sampling`, in its order:
        `mask` (V,) is added to the logits, the `n` (1,) likeliest are looked at, `rate` is one over the temperature,
        and what is less likely than e to the `least` times the likeliest is never drawn.
        """
        H, V = self.settings.hidden, len(self.engine.head_bias)
        begun, constants = len(self.nodes), len(self.constants)
        logits, *states = self.outputs
        drawn, total = self.draw(logits)
        made = [_value(drawn, INT, "B"), *(_value(name, FLOAT, "B", H) for name in states)]
        each = [_value(self.node("Identity", drawn), INT, "B"), _value(total, FLOAT, "B")]
        if scored:
            each.append(_value(self.score(logits, drawn), FLOAT, "B"))
        goes_on = self.node("Identity", "goes_on")
        given = [_value("t", INT), _value("goes_on", BOOL), _value("ids", INT, "B")]
        given += [_value(name, FLOAT, "B", H) for name in self.states]
        body = helper.make_graph(self.nodes, "step", given, [_value(goes_on, BOOL), *made, *each], self.constants)
        del self.nodes[begun:], self.constants[constants:]

        ends, lists = [f"{name}_end" for name in ("ids", *self.states)], [f"all{k}" for k in range(len(each))]
        yes = numpy_helper.from_array(np.array(True), "yes")
        loop = helper.make_node("Loop", ["tokens", "yes", "ids", *self.states], [*ends, *lists], body=body)  # (T, B)
        turned = [helper.make_node("Transpose", [name], [f"{name}_of_each"]) for name in lists]  # (B, T)
        given = [_value("tokens", INT), _value("ids", INT, "B"), _value("uniforms", FLOAT, "B", "T")]
        given += [_value(name, FLOAT, "B", H) for name in self.states]
        given += [_value("mask", FLOAT, V), _value("n", INT, 1)]
        given += [_value(name, FLOAT) for name in ("rate", "top_p", "least")]
        made = [_value(f"{name}_of_each", FLOAT if k else INT, "B", "T") for k, name in enumerate(lists)]
        made += [_value(name, FLOAT, "B", H) for name in ends[1:]]
        return _model(helper.make_graph([loop, *turned], "write", given, made, [yes]))

    def draw(self, logits: str) -> tuple[str, str]:
        """The next tokens (B,), and the sum of the weights that they were drawn from (B,)."""
        row, last, end = (self.constant(np.array([number])) for number in (1, -1, len(self.engine.head_bias)))
        largest, ids = self.outputs_of("TopK", 2, self.node("Add", logits, "mask"), "n", axis=1)  # (B, n), descending
        top = self.node("Slice", largest, self.constant(np.array([0])), row, row)  # (B, 1)
        tempered = self.node("Mul", self.node("Sub", largest, top), "rate")
        weights = self.node("Exp", tempered)
        cumulative = self.node("CumSum", weights, self.constant(np.array(1)))
        enough = self.node("Mul", self.node("Slice", cumulative, last, end, row), "top_p")  # (B, 1)
        kept = self.node("Less", self.node("Sub", cumulative, weights), enough)  # by the share of all likelier ones
        kept = self.node("And", kept, self.node("GreaterOrEqual", tempered, "least"))
        weights = self.node("Mul", weights, self.node("Cast", kept, to=FLOAT))
        cumulative = self.node("CumSum", weights, self.constant(np.array(1)))
        total = self.node("Slice", cumulative, last, end, row)  # (B, 1)
        uniforms = self.node("Unsqueeze", self.node("Gather", "uniforms", "t", axis=1), row)  # (B, 1)
        target = self.node("Mul", uniforms, total)
        place = self.count(self.node("LessOrEqual", cumulative, target), row)  # (B, 1)
        possible = self.count(self.node("Greater", weights, self.constant(np.float32(0))), row)
        place = self.node("Min", place, self.node("Sub", possible, row))  # whatever is rounded
        place = self.node("Max", place, self.constant(np.array(0)))
        return (
            self.node("Squeeze", self.node("GatherElements", ids, place, axis=1), row),
            self.node("Squeeze", total, row),
        )

    def score(self, logits: str, drawn: str) -> str:
        """The log-probabilities (B,) of the drawn tokens (B,), in nats."""
        row = self.constant(np.array([1]))
        of_drawn = self.node("GatherElements", logits, self.node("Unsqueeze", drawn, row), axis=1)  # (B, 1)
        return self.node("Squeeze", self.node("Sub", of_drawn, self.node("ReduceLogSumExp", logits, axes=[1])), row)

    def count(self, holds: str, row: str) -> str:
        """How many of each row hold (B, 1)."""
        return self.node("ReduceSum", self.node("Cast", holds, to=INT), row, keepdims=1)

    def step(self) -> list[str]:
        """The nodes of all layers and the head; the names of the logits and the states."""
        x = self.node("Gather", self.constant(self.engine.inputs), "ids") if self.engine.inputs.size else ""  # (B, E)
        bounded, states = False, []  # whether x lies between -1 and 1
        for k, layer in enumerate(self.engine.layers):
            whole = self.whole
            if layer.of_input is None:
                of_input = self.node("Gather", self.constant(layer.table * whole), "ids")  # (B, GH)
            else:
                normed = self.norm(layer.norm, x) if layer.norm else x
                bound = bounded and layer.norm is None
                of_input = self.product(normed, layer.of_input * whole, bound, layer.input_bias * whole)  # (B, GH)
            of_state = self.product(f"h{k}", layer.of_state * whole, True)  # (B, GH)
            state = getattr(self, self.settings.cell)(of_input, of_state, k)  # (B, H) each
            x = self.node("Add", x, state[0]) if layer.residual else state[0]
            bounded = not layer.residual
            states += state
        output = self.norm(self.engine.norm, x) if self.engine.norm else x  # (B, H)
        bound = bounded and self.engine.norm is None
        return [self.product(output, self.engine.head, bound, self.engine.head_bias), *states]

    def lstm(self, of_input: str, of_state: str, k: int) -> list[str]:
        """As `numpy_engine.lstm_cell`."""
        H = self.settings.hidden
        opened, g = self.split(self.node("Add", of_input, of_state), 3 * H, H)
        i, f, o = self.split(self.node("Sigmoid", opened), H, H, H)
        c = self.node("Add", self.node("Mul", f, f"c{k}"), self.node("Mul", i, self.node("Tanh", g)))
        return [self.node("Mul", o, self.node("Tanh", c)), c]

    def gru(self, of_input: str, of_state: str, k: int) -> list[str]:
        """As `numpy_engine.gru_cell`."""
        H, bias = self.settings.hidden, self.constant(self.engine.layers[k].state_bias)
        (r, z, n), (of_r, of_z, of_n) = (self.split(x, H, H, H) for x in (of_input, self.node("Add", of_state, bias)))
        r, z = self.node("Sigmoid", self.node("Add", r, of_r)), self.node("Sigmoid", self.node("Add", z, of_z))
        n = self.node("Tanh", self.node("Add", n, self.node("Mul", r, of_n)))
        return [self.node("Add", n, self.node("Mul", z, self.node("Sub", f"h{k}", n)))]

    def rnn(self, of_input: str, of_state: str, k: int) -> list[str]:
        """As `numpy_engine.rnn_cell`."""
        return [self.node("Tanh", self.node("Add", of_input, of_state))]

    def norm(self, norm: Any, x: str) -> str:
        """Layer normalisation of x (B, size)."""
        weight, bias = self.constant(norm.weight), self.constant(norm.bias)
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=float(EPSILON))

    def product(self, x: str, weights: Array, bounded: bool, bias: Array | None = None) -> str:
        """x (B, in) times weights (in, out) in 8 bits, plus a bias; `bounded` where x lies between -1 and 1."""
        largest = np.abs(weights).max(axis=0)
        scale = np.where(largest > 0, largest, 1).astype(np.float32) / LARGEST_WEIGHT  # (out,)
        of_8_bits, of_columns = self.constant(np.rint(weights / scale).astype(np.int8)), self.constant(scale)
        step, zero, none = self.constant(np.float32(1 / 127)), self.constant(ZERO), ""
        added = [] if bias is None else [self.constant(bias)]
        fused = {"domain": "com.microsoft"}
        if bounded:
            x = self.node("QuantizeLinear", x, step, zero)
            return self.node("MatMulIntegerToFloat", x, of_8_bits, step, of_columns, zero, none, *added, **fused)
        of_row = self.node(
            "Max", self.node("ReduceMax", self.node("Abs", x), axes=[1]), self.constant(EPSILON)
        )  # (B, 1)
        x = self.node("QuantizeLinear", self.node("Div", x, of_row), step, zero)
        product = self.node("MatMulIntegerToFloat", x, of_8_bits, step, of_columns, zero, **fused)
        product = self.node("Mul", product, of_row)
        return self.node("Add", product, *added) if added else product

    def split(self, x: str, *sizes: int) -> list[str]:
        """x (B, sum of the sizes) in parts of these sizes."""
        return self.outputs_of("Split", len(sizes), x, self.constant(np.array(sizes, np.int64)), axis=1)

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, by its name."""
        return self.outputs_of(operation, 1, *inputs, **attributes)[0]

    def outputs_of(self, operation: str, number: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node with so many outputs, by their names."""
        names = [f"x{len(self.nodes)}_{part}" for part in range(number)]
        self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
        return names

    def constant(self, value: Any) -> str:
        """An array that is part of the graph, by its name."""
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def _value(name: str, kind: int, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(graph: Any) -> bytes:
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=FORMAT).SerializeToString()
    return model
