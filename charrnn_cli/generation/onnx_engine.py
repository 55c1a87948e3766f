"""The recurrent step in ONNX Runtime with weights of 8 bits: a quarter of the memory that each character reads.

Weights are rounded to 127 steps per output column, what they are multiplied with to 255 per row: a hidden state lies
between -1 and 1, other inputs are scaled by their largest number. Integer products are exact, so a text does not depend
on how many are written beside it. Sizes: B texts, V tokens, L layers, H hidden, G gates.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from charrnn_cli.config import ModelSettings
from charrnn_cli.generation.engine import StepEngine
from charrnn_cli.generation.numpy_engine import EPSILON, HALF, Array, NumpyEngine, State
from charrnn_cli.generation.sampling import Ids

SIDE_BY_SIDE = 256  # texts at once, at most
FEW = 4  # texts for which one core is faster than several
OPSET, FORMAT = 17, 8  # of ONNX, the oldest that has all we use
ZERO = np.uint8(128)  # the byte that stands for 0
LARGEST = np.float32(127)
LARGEST_WEIGHT = np.float32(63)  # older processors add two products in 16 bits


class OnnxEngine(StepEngine[State]):
    """The network as the NumPy engine has it, its products in 8 bits."""

    name = "ONNX Runtime, 8 bits"

    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings) -> None:
        """Takes weights of any float type."""
        self.numpy = NumpyEngine(weights, settings)
        self._names = [f"{part}{k}" for k in range(settings.layers) for part in _parts(settings)]
        self._model = _Graph(self.numpy).model()
        self._sessions: dict[bool, Any] = {}

    def start(self, streams: int) -> State:
        """The state before any token."""
        return self.numpy.start(streams)

    def repeat(self, state: State, streams: int) -> State:
        """The state of one text as that of so many."""
        return self.numpy.repeat(state, streams)

    def groups(self, texts: int) -> list[int]:
        """As few as there can be."""
        whole, rest = divmod(texts, SIDE_BY_SIDE)
        return [SIDE_BY_SIDE] * whole + [rest] * (rest > 0)

    def step(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        parts = [part for parts in state.parts for part in parts]
        given = dict(zip(self._names, parts, strict=True))
        logits, *parts = self._session(len(ids) < FEW).run(None, {"ids": np.asarray(ids, np.int64), **given})
        each = len(state.parts[0])
        return logits, State(tuple(tuple(parts[at : at + each]) for at in range(0, len(parts), each)))

    def _session(self, few: bool) -> Any:
        """What runs the graph: for few texts on one core, whose work is too short to be shared."""
        if few not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # errors alone
            options.intra_op_num_threads = 1 if few else 0  # 0: all cores
            self._sessions[few] = onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])
        return self._sessions[few]


def _parts(settings: ModelSettings) -> str:
    """What a layer's state consists of, as one letter each."""
    return "hc" if settings.cell == "lstm" else "h"


class _Graph:
    """The ONNX graph of one step, node after node."""

    def __init__(self, engine: NumpyEngine) -> None:
        self.engine, self.settings = engine, engine.settings
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def model(self) -> bytes:
        """The graph, with its weights, as ONNX has it in a file."""
        H, V, parts = self.settings.hidden, len(self.engine.head_bias), _parts(self.settings)
        outputs = self.step()
        names = [f"{part}{k}" for k in range(self.settings.layers) for part in parts]
        given = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["B"])]
        given += [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", H]) for name in names]
        sizes = [V] + [H] * len(names)
        made = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", size])
            for name, size in zip(outputs, sizes, strict=True)
        ]
        graph = helper.make_graph(self.nodes, "step", given, made, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=FORMAT).SerializeToString()
        return model

    def step(self) -> list[str]:
        """The nodes of all layers and the head; the names of the logits and the states."""
        x = self.node("Gather", self.constant(self.engine.inputs), "ids") if self.engine.inputs.size else ""  # (B, E)
        bounded, states = False, []  # whether x lies between -1 and 1
        for k, layer in enumerate(self.engine.layers):
            if layer.of_input is None:
                of_input = self.node("Gather", self.constant(layer.table), "ids")  # (B, GH)
            else:
                normed = self.norm(layer.norm, x) if layer.norm else x
                bound = bounded and layer.norm is None
                of_input = self.product(normed, layer.of_input, bound, layer.input_bias)  # (B, GH)
            of_state = self.product(f"h{k}", layer.of_state, True)  # (B, GH)
            state = getattr(self, self.settings.cell)(of_input, of_state, k)  # (B, H) each
            x = self.node("Add", x, state[0]) if layer.residual else state[0]
            bounded = not layer.residual
            states += state
        output = self.norm(self.engine.norm, x) if self.engine.norm else x  # (B, H)
        bound = bounded and self.engine.norm is None
        return [self.product(output, self.engine.head, bound, self.engine.head_bias), *states]

    def lstm(self, of_input: str, of_state: str, k: int) -> list[str]:
        """As `numpy_engine.lstm_cell`."""
        H, half = self.settings.hidden, self.constant(HALF)
        opened, g = self.split(self.node("Tanh", self.node("Add", of_input, of_state)), 3 * H, H)
        opened = self.node("Add", self.node("Mul", opened, half), half)
        i, f, o = self.split(opened, H, H, H)
        c = self.node("Add", self.node("Mul", f, f"c{k}"), self.node("Mul", i, g))
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
        step, zero, none = self.constant(1 / LARGEST), self.constant(ZERO), ""
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
        names = [f"x{len(self.nodes)}_{part}" for part in range(len(sizes))]
        self.nodes.append(helper.make_node("Split", [x, self.constant(np.array(sizes, np.int64))], names, axis=1))
        return names

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, by its name."""
        name = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        """An array that is part of the graph, by its name."""
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name
