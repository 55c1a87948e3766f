"""The recurrent step on a CPU in NumPy: no torch, whose import alone takes longer than a page of text.

Sizes: B streams, V tokens, E embedding, L layers, H hidden. Weights carry torch's names and gate order i, f, g, o.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.generation.engine import StepEngine, fixed_groups
from charrnn_cli.runs.checkpoints import SCALE

Array = NDArray[np.float32]
EPSILON = np.float32(1e-5)  # of layer normalisation, as torch has it
GROUPS = (1, 64, 192)  # texts that are written side by side; more are written in groups of the last size
HALF = np.float32(0.5)
LOOKUP = 4_000_000  # numbers in the table that replaces an embedding and its product, at most


@dataclass(frozen=True)
class State:
    """The hidden state of B texts: of each layer h and, of an LSTM, c, each (B, H)."""

    parts: tuple[tuple[Array, ...], ...]


@dataclass(frozen=True)
class Layer:
    """A recurrent layer laid out for products from the right."""

    of_input: Array | None  # (in, GH); None where its product is looked up
    table: Array  # (V, GH) of those products, with the bias, or empty
    of_state: Array  # (H, GH)
    input_bias: Array  # (GH,)
    state_bias: Array  # (GH,), of a GRU; the others' is part of the input's
    norm: "Norm | None"  # of the input, where it is not looked up
    residual: bool


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: Ba et al., arXiv 1607.06450."""

    weight: Array  # (size,)
    bias: Array  # (size,)

    def __call__(self, x: Array) -> Array:
        """x (B, size) with mean 0 and variance 1 in each row, then weighted."""
        centred = x - x.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + EPSILON)
        normed: Array = centred / deviation * self.weight + self.bias
        return normed


class NumpyEngine(StepEngine[State]):
    """The network as `training.model.LanguageModel` computes it, one token of B texts at a time."""

    name = "NumPy"

    @np.errstate(over="ignore", invalid="ignore")  # broken weights are noticed by their logits
    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings) -> None:
        """Takes weights of any float type; computes in float32."""
        floats = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        self.settings = settings
        head = floats["embedding.weight" if settings.tie_weights else "head.weight"]  # (V, H)
        scale = floats.get(SCALE, np.ones(1, np.float32))
        self.head, self.head_bias = np.ascontiguousarray(head.T) * scale, floats["head.bias"] * scale  # (H, V), (V,)
        V = len(self.head_bias)
        one_hot = settings.embedding == 0
        shown = V if settings.residual and settings.hidden == V else 0  # one-hot inputs are looked up, not multiplied
        self.inputs = np.eye(V, shown, dtype=np.float32) if one_hot else floats["embedding.weight"]  # (V, E)
        self.layers: list[Layer] = []
        for k in range(settings.layers):
            of_input, of_state, input_bias, state_bias = _laid_out(floats, k, settings)
            norm = _norm(floats, k)
            looked_up = k == 0 and (one_hot or V * len(input_bias) <= LOOKUP)
            if looked_up:
                table = (
                    of_input.T if one_hot else (norm(self.inputs) if norm else self.inputs) @ of_input.T
                ) + input_bias
            else:
                table = of_input[:0]
            self.layers.append(
                Layer(
                    None if looked_up else np.ascontiguousarray(of_input.T),
                    np.ascontiguousarray(table),
                    np.ascontiguousarray(of_state.T),
                    input_bias,
                    state_bias,
                    norm,
                    settings.residual and of_input.shape[1] == settings.hidden,
                )
            )
        self.norm = _norm(floats, settings.layers)

    def start(self, streams: int) -> State:
        """The state before any token."""
        zeros = np.zeros((streams, self.settings.hidden), np.float32)
        return State(((zeros,) * (2 if self.settings.cell == "lstm" else 1),) * self.settings.layers)

    def repeat(self, state: State, streams: int) -> State:
        """The state of one text as that of so many."""
        return State(tuple(tuple(part.repeat(streams, axis=0) for part in parts) for parts in state.parts))

    def groups(self, texts: int) -> list[int]:
        """Few sizes, because each is written whole."""
        return fixed_groups(texts, GROUPS)

    def step(self, ids: NDArray[np.integer[Any]], state: State) -> tuple[Array, State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        x = self.inputs[ids]  # (B, E)
        cell = CELLS[self.settings.cell]
        parts = []
        for layer, part in zip(self.layers, state.parts, strict=True):
            if layer.of_input is None:
                of_input = layer.table[ids]  # (B, GH)
            else:
                of_input = (layer.norm(x) if layer.norm else x) @ layer.of_input + layer.input_bias  # (B, GH)
            part = cell(of_input, part[0] @ layer.of_state, part, layer.state_bias)  # (B, H) each
            x = x + part[0] if layer.residual else part[0]
            parts.append(part)
        output = self.norm(x) if self.norm else x  # (B, H)
        return output @ self.head + self.head_bias, State(tuple(parts))


def _norm(weights: Mapping[str, Array], k: int) -> Norm | None:
    """What normalises the input of layer k, or behind the last one the head's; None where nothing does."""
    weight = weights.get(f"rnn.norm_weight_l{k}")
    return None if weight is None else Norm(weight, weights[f"rnn.norm_bias_l{k}"])


def _laid_out(weights: Mapping[str, Array], k: int, settings: ModelSettings) -> tuple[Array, Array, Array, Array]:
    """Of layer k the matrices of input and state, (GH, in) and (GH, H), and their biases (GH,), as the cells take them.

    An LSTM's gates come in the order i, f, o, g, and the first three are halved: a sigmoid is then a hyperbolic
    tangent, and one call does for all.
    """
    names = (f"rnn.{what}_l{k}" for what in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    of_input, of_state, input_bias, state_bias = (weights[name] for name in names)
    if settings.cell == "gru":
        return of_input, of_state, input_bias, state_bias
    bias = input_bias + state_bias
    if settings.cell == "lstm":
        H = settings.hidden
        order = np.r_[: 2 * H, 3 * H : 4 * H, 2 * H : 3 * H]
        half = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), H)
        of_input, of_state, bias = of_input[order] * half[:, None], of_state[order] * half[:, None], bias[order] * half
    return of_input, of_state, bias, np.zeros_like(bias)


def lstm_cell(of_input: Array, of_state: Array, state: tuple[Array, ...], bias: Array) -> tuple[Array, ...]:
    """Products of input and state (B, 4H), gates i, f, o, g as `_laid_out` has them, and h, c (B, H) to h, c.

    Hochreiter and Schmidhuber 1997; Gers et al. 2000.
    """
    c = state[1]
    H = c.shape[1]
    gates = of_input + of_state
    np.tanh(gates, out=gates)
    open = gates[:, : 3 * H]  # by how much each gate is
    open *= HALF
    open += HALF
    c = gates[:, H : 2 * H] * c + gates[:, :H] * gates[:, 3 * H :]
    return gates[:, 2 * H : 3 * H] * np.tanh(c), c


def gru_cell(of_input: Array, of_state: Array, state: tuple[Array, ...], bias: Array) -> tuple[Array, ...]:
    """Products of input and state (B, 3H), gates r, z, n, the state's bias (3H,), and h (B, H) to h.

    Cho et al., arXiv 1406.1078, in cuDNN's form: the reset gate acts on the state's product.
    """
    (h,) = state
    H = h.shape[1]
    of_state = of_state + bias
    r, z = np.split(sigmoid(of_input[:, : 2 * H] + of_state[:, : 2 * H]), 2, axis=1)
    n = np.tanh(of_input[:, 2 * H :] + r * of_state[:, 2 * H :])
    return ((1 - z) * n + z * h,)


def rnn_cell(of_input: Array, of_state: Array, state: tuple[Array, ...], bias: Array) -> tuple[Array, ...]:
    """Products of input and state (B, H) to h (B, H). Elman 1990."""
    return (np.tanh(of_input + of_state),)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), by tanh, which does not overflow."""
    y: Array = np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return y


CELLS = {"lstm": lstm_cell, "gru": gru_cell, "rnn": rnn_cell}
