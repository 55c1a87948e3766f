"""The network on a CPU in NumPy: it starts at once, while importing torch takes longer than writing a page of text.

Sizes: B texts, V tokens of the vocabulary, E embedding, L layers, H hidden, G gates. Weights have torch's names and
gate order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.generation.engine import Engine, EngineUnavailableError
from charrnn_cli.generation.numpy_cells import NUMPY_STEPS, Array, CellWeights
from charrnn_cli.generation.sampling import Ids
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.runs.weights import SCALE
from charrnn_cli.threads import blas_threads

Weights = Mapping[str, Array]
EPSILON = np.float32(1e-5)  # of layer normalization, as in torch
LARGEST_TABLE = 4_000_000  # numbers in a table that replaces an embedding and its product with the input weights


@dataclass(frozen=True)
class StepState:
    """The hidden state of B texts: for each layer the states of its cell, such as h and c, (B, H) each."""

    parts: tuple[tuple[Array, ...], ...]


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalization: Ba et al., arXiv 1607.06450."""

    weight: Array  # (size,)
    bias: Array  # (size,)

    def __call__(self, x: Array) -> Array:
        """x (B, size) with mean 0 and variance 1 in each row, then scaled and shifted."""
        centered = x - x.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + EPSILON)
        normed: Array = centered / deviation * self.weight + self.bias
        return normed


@dataclass(frozen=True)
class StepLayer:
    """A recurrent layer whose weights are transposed for products x @ weight.

    In the first layer a table can replace the product of the input: a row for each token of the vocabulary.
    """

    of_input: Array | None  # (inputs, GH); None if there is a table
    table: Array  # (V, GH), with the input bias; empty if there is none
    of_state: Array  # (H, GH)
    input_bias: Array  # (GH,)
    state_bias: Array  # (GH,)
    norm: LayerNorm | None  # of the input
    residual: bool

    def input_product(self, x: Array, ids: NDArray[np.integer[Any]]) -> Array:
        """The product of the input x (B, inputs), or of the tokens `ids` (B,), with its weights, (B, GH)."""
        if self.of_input is None:
            product: Array = self.table[ids]
            return product
        return (self.norm(x) if self.norm else x) @ self.of_input + self.input_bias


class NumpyEngine(Engine[StepState]):
    """Computes the same as `network.model.LanguageModel`, one token of B texts at a time."""

    name = "NumPy"
    group_sizes = (1, 64, 192)

    @np.errstate(over="ignore", invalid="ignore")  # `draw` finds the NaN that corrupt weights lead to
    def __init__(
        self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings, threads: int | None = None
    ) -> None:
        """Takes weights of any float type; computes in float32. Raises EngineUnavailableError for an unknown cell."""
        if settings.cell not in NUMPY_STEPS:
            raise EngineUnavailableError(
                f"`engine=numpy` cannot compute the cell {settings.cell!r}. Pass `engine=torch`."
            )
        floats = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        self.settings = settings
        # Fixed, so that a seed writes the same text with any number of cores. Only in scoring it follows the load.
        self.threads = blas_threads(threads or 1)
        self.cell = NUMPY_STEPS[settings.cell]
        self.head, self.head_bias = _head(floats, settings)  # (H, V), (V,)
        self.inputs = _inputs(floats, settings)  # (V, E)
        self.layers = [_layer(floats, k, self.inputs, settings) for k in range(settings.layers)]
        self.norm = _norm(floats, settings.layers)

    def start(self, streams: int) -> StepState:
        zeros = np.zeros((streams, self.settings.hidden), np.float32)
        cell_states = (zeros,) * len(cell_spec(self.settings.cell).states)
        return StepState((cell_states,) * self.settings.layers)

    def rows(self, state: StepState, rows: Ids) -> StepState:
        return StepState(tuple(tuple(part[rows] for part in parts) for parts in state.parts))

    def together(self, states: Sequence[StepState]) -> StepState:
        layers = zip(*(state.parts for state in states), strict=True)
        return StepState(tuple(tuple(map(np.concatenate, zip(*parts, strict=True))) for parts in layers))

    def to_array(self, state: StepState) -> Array:
        return np.concatenate([part for parts in state.parts for part in parts], axis=1)

    def from_array(self, array: Array) -> StepState:
        parts = np.split(array, array.shape[1] // self.settings.hidden, axis=1)
        size = len(cell_spec(self.settings.cell).states)
        return StepState(tuple(tuple(parts[k : k + size]) for k in range(0, len(parts), size)))

    def step(self, ids: NDArray[np.integer[Any]], state: StepState) -> tuple[Array, StepState]:
        self.threads.start()
        try:
            return self._step(ids, state)
        finally:
            self.threads.stop()

    def _step(self, ids: NDArray[np.integer[Any]], state: StepState) -> tuple[Array, StepState]:
        x = self.inputs[ids]  # (B, E)
        new_parts = []
        for layer, parts in zip(self.layers, state.parts, strict=True):
            of_input = layer.input_product(x, ids)  # (B, GH)
            of_state = parts[0] @ layer.of_state  # (B, GH)
            parts = self.cell.step(of_input, of_state, parts, layer.state_bias)  # (B, H) each
            x = x + parts[0] if layer.residual else parts[0]
            new_parts.append(parts)
        output = self.norm(x) if self.norm else x  # (B, H)
        return output @ self.head + self.head_bias, StepState(tuple(new_parts))  # (B, V)


def _head(weights: Weights, settings: ModelSettings) -> tuple[Array, Array]:
    """The weights (H, V) and the bias (V,) of the output layer, times the scale of the logits."""
    scale = weights.get(SCALE, np.ones(1, np.float32))
    head = weights["embedding.weight" if settings.tie_weights else "head.weight"]  # (V, H)
    return np.ascontiguousarray(head.T) * scale, weights["head.bias"] * scale


def _inputs(weights: Weights, settings: ModelSettings) -> Array:
    """The input of the first layer for each token: its embedding (V, E), or a one-hot row.

    One-hot rows are needed only for a residual connection, because the product with one is a row of the weights;
    otherwise they are left out: (V, 0).
    """
    if settings.embedding:
        return weights["embedding.weight"]
    V = len(weights["head.bias"])
    columns = V if settings.residual and settings.hidden == V else 0
    return np.eye(V, columns, dtype=np.float32)


def _layer(weights: Weights, k: int, inputs: Array, settings: ModelSettings) -> StepLayer:
    """Layer k, with its weights arranged for the cell."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell = NUMPY_STEPS[settings.cell].arrange(CellWeights(*(weights[f"rnn.{name}_l{k}"] for name in names)))
    norm = _norm(weights, k)
    table = _table(cell, norm, inputs, settings) if k == 0 else None
    return StepLayer(
        np.ascontiguousarray(cell.of_input.T) if table is None else None,
        cell.of_input[:0] if table is None else table,
        np.ascontiguousarray(cell.of_state.T),
        cell.input_bias,
        cell.state_bias,
        norm,
        settings.residual and cell.of_input.shape[1] == settings.hidden,
    )


def _table(cell: CellWeights, norm: LayerNorm | None, inputs: Array, settings: ModelSettings) -> Array | None:
    """The products of the first layer's input for each token (V, GH); None if that would be too large."""
    one_hot = settings.embedding == 0
    if not one_hot and len(inputs) * len(cell.input_bias) > LARGEST_TABLE:
        return None
    products = cell.of_input.T if one_hot else (norm(inputs) if norm else inputs) @ cell.of_input.T
    return np.ascontiguousarray(products + cell.input_bias)


def _norm(weights: Weights, k: int) -> LayerNorm | None:
    """The normalization of the input of layer k, or of the output layer if k = L; None if there is none."""
    weight = weights.get(f"rnn.norm_weight_l{k}")
    return None if weight is None else LayerNorm(weight, weights[f"rnn.norm_bias_l{k}"])
