"""Builds the nodes of an ONNX graph, among them products with weights of 8 bits.

Weights are rounded to 127 levels per output column, and their other factor to 255 levels: a hidden state lies between
-1 and 1, other inputs are scaled by the largest number of their row. Integer products are exact, so a text does not
depend on the number of texts beside it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from charrnn_cli.generation.numpy_cells import Array

OPSET, FORMAT = 17, 8  # of ONNX: the oldest that have all operations used here
ZERO = np.uint8(128)  # the byte that stands for 0
LARGEST_WEIGHT = np.float32(63)  # 127 could overflow: older processors add up two products in 16 bits
SMALLEST_SCALE = np.float32(1e-5)  # the smallest number by which a row is scaled
FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RUNTIME = {"domain": "com.microsoft"}  # operations of ONNX Runtime


class Nodes:
    """The nodes and constants of a graph. Methods add nodes and return the names of their outputs."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    @contextmanager
    def temporary(self) -> Iterator[None]:
        """Removes the nodes and constants that are added in the block."""
        nodes, constants = len(self.nodes), len(self.constants)
        yield
        del self.nodes[nodes:], self.constants[constants:]

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        return self.node_with_outputs(operation, 1, *inputs, **attributes)[0]

    def node_with_outputs(self, operation: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        names = [f"x{len(self.nodes)}_{k}" for k in range(count)]
        self.nodes.append(helper.make_node(operation, inputs, names, **attributes))
        return names

    def constant(self, value: Any) -> str:
        """An array that is stored in the graph."""
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def split(self, x: str, *sizes: int) -> list[str]:
        """x (B, sum of the sizes) in parts of these sizes."""
        return self.node_with_outputs("Split", len(sizes), x, self.constant(np.array(sizes, np.int64)), axis=1)

    def as_column(self, x: str) -> str:
        """x (B,) as (B, 1)."""
        return self.node("Unsqueeze", x, self.constant(np.array([1])))

    def as_vector(self, x: str) -> str:
        """x (B, 1) as (B,)."""
        return self.node("Squeeze", x, self.constant(np.array([1])))

    def column(self, x: str, index: int) -> str:
        """Column 0 or the last column, -1, of x (B, n), as (B, 1)."""
        end = 1 if index == 0 else np.iinfo(np.int64).max
        bounds = (self.constant(np.array([number])) for number in (index, end, 1))
        return self.node("Slice", x, *bounds)

    def count_true(self, x: str) -> str:
        """The number of true values in each row of x (B, n), as (B, 1)."""
        return self.node("ReduceSum", self.node("Cast", x, to=INT), self.constant(np.array([1])), keepdims=1)

    def product(self, x: str, weights: Array, bounded: bool, bias: Array | None = None) -> str:
        """x (B, in) times weights (in, out) in 8 bits, plus a bias (out,). `bounded` says that x lies in [-1, 1]."""
        largest = np.abs(weights).max(axis=0)
        scale = np.where(largest > 0, largest, 1).astype(np.float32) / LARGEST_WEIGHT  # (out,)
        integers, scales = self.constant(np.rint(weights / scale).astype(np.int8)), self.constant(scale)
        level, zero = self.constant(np.float32(1 / 127)), self.constant(ZERO)
        biases = [] if bias is None else [self.constant(bias)]
        if bounded:
            x = self.node("QuantizeLinear", x, level, zero)
            return self.node("MatMulIntegerToFloat", x, integers, level, scales, zero, "", *biases, **RUNTIME)
        largest_of_row = self.node("ReduceMax", self.node("Abs", x), axes=[1])  # (B, 1)
        row_scale = self.node("Max", largest_of_row, self.constant(SMALLEST_SCALE))
        x = self.node("QuantizeLinear", self.node("Div", x, row_scale), level, zero)
        product = self.node("MatMulIntegerToFloat", x, integers, level, scales, zero, **RUNTIME)
        product = self.node("Mul", product, row_scale)
        return self.node("Add", product, *biases) if biases else product


def tensor_info(name: str, kind: int, *shape: int | str) -> Any:
    """The name, number format and shape of an input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def model_bytes(graph: Any, metadata: Mapping[str, str] | None = None) -> bytes:
    """A graph as the content of an ONNX file."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME["domain"], 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=FORMAT, producer_name="charrnn")
    helper.set_model_props(model, dict(metadata or {}))
    content: bytes = model.SerializeToString()
    return content
