"""The recurrent step on a CPU in NumPy: no torch, whose import alone takes longer than a page of text.

Sizes: B streams, V tokens, E embedding, L layers, H hidden. Weights carry torch's names and gate order i, f, g, o.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings

Array = NDArray[np.float32]
LOOKUP = 4_000_000  # numbers in the table that replaces an embedding and its product, at most


@dataclass(frozen=True)
class State:
    """The hidden state of B texts: h and c of each layer, (B, H)."""

    h: tuple[Array, ...]
    c: tuple[Array, ...]


@dataclass(frozen=True)
class Layer:
    """An LSTM layer laid out for one product a step."""

    matrix: Array  # (in + H, 4H); (H, 4H) where the product of the input is looked up
    bias: Array  # (4H,)
    residual: bool


class NumpyEngine:
    """The network as `training.model.LanguageModel` computes it, one token of B texts at a time."""

    @np.errstate(over="ignore", invalid="ignore")  # broken weights are noticed by their logits
    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings) -> None:
        """Takes weights of any float type; computes in float32."""
        floats = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        self.settings = settings
        self.head, self.head_bias = np.ascontiguousarray(floats["head.weight"].T), floats["head.bias"]  # (H, V), (V,)
        V = len(self.head_bias)
        one_hot = settings.embedding == 0
        shown = V if settings.residual and settings.hidden == V else 0  # one-hot inputs are looked up, not multiplied
        self.inputs = np.eye(V, shown, dtype=np.float32) if one_hot else floats["embedding.weight"]  # (V, E)
        self.table: Array | None = None  # (V, 4H): the first layer's product of every input
        self.layers: list[Layer] = []
        for k in range(settings.layers):
            of_input, of_state = floats[f"rnn.weight_ih_l{k}"], floats[f"rnn.weight_hh_l{k}"]  # (4H, in), (4H, H)
            bias = floats[f"rnn.bias_ih_l{k}"] + floats[f"rnn.bias_hh_l{k}"]
            if k == 0 and (one_hot or V * len(bias) <= LOOKUP):
                self.table = np.ascontiguousarray(of_input.T) if one_hot else self.inputs @ of_input.T
                matrix = of_state.T
            else:
                matrix = np.concatenate([of_input, of_state], 1).T
            residual = settings.residual and of_input.shape[1] == settings.hidden
            self.layers.append(Layer(np.ascontiguousarray(matrix), bias, residual))

    def start(self, streams: int) -> State:
        """The state before any token."""
        zeros = (np.zeros((streams, self.settings.hidden), np.float32),) * self.settings.layers
        return State(zeros, zeros)

    @np.errstate(over="ignore", invalid="ignore")
    def step(self, ids: NDArray[np.integer[Any]], state: State) -> tuple[Array, State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        x = self.inputs[ids]  # (B, E)
        h, c = [], []
        for k, layer in enumerate(self.layers):
            if k == 0 and self.table is not None:
                gates = state.h[k] @ layer.matrix + self.table[ids]  # (B, 4H)
            else:
                gates = np.concatenate([x, state.h[k]], 1) @ layer.matrix  # (B, 4H)
            h_k, c_k = lstm_cell(gates + layer.bias, state.c[k])  # (B, H)
            x = x + h_k if layer.residual else h_k
            h.append(h_k)
            c.append(c_k)
        return x @ self.head + self.head_bias, State(tuple(h), tuple(c))


def lstm_cell(gates: Array, c: Array) -> tuple[Array, Array]:
    """Gates (B, 4H) before their non-linearities, c (B, H) to h, c (B, H)."""
    H = c.shape[1]
    i, f, o = sigmoid(gates[:, :H]), sigmoid(gates[:, H : 2 * H]), sigmoid(gates[:, 3 * H :])
    c = f * c + i * np.tanh(gates[:, 2 * H : 3 * H])
    return o * np.tanh(c), c


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), by tanh, which does not overflow."""
    y: Array = np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return y
