"""The recurrent cells in NumPy. `NUMPY_STEPS` has an entry for each cell that the NumPy engine computes.

Sizes: B texts, H hidden, G gates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
HALF = np.float32(0.5)
LSTM_SCALES = (0.5, 0.5, 0.5, 1.0)  # of the gates i, f, o, g


@dataclass(frozen=True)
class CellWeights:
    """The weights of a cell, one gate after the other."""

    of_input: Array  # (GH, inputs)
    of_state: Array  # (GH, H)
    input_bias: Array  # (GH,)
    state_bias: Array  # (GH,)


@dataclass(frozen=True)
class CellStep:
    """How NumPy computes a cell.

    `step` takes the products of the input, with its bias, and of the state with their weights (B, GH), the states
    (B, H), and the state bias (GH,), and returns the new states. `arrange` prepares the weights of torch for it.
    `gate_scales` says by which factor it multiplies the weights of each gate.
    """

    step: Callable[[Array, Array, tuple[Array, ...], Array], tuple[Array, ...]]
    arrange: Callable[[CellWeights], CellWeights]
    gate_scales: tuple[float, ...]


def separate_biases(weights: CellWeights) -> CellWeights:
    """The weights as they are."""
    return weights


def merged_biases(weights: CellWeights) -> CellWeights:
    """The weights with both biases added up as the input bias."""
    bias = weights.input_bias + weights.state_bias
    return CellWeights(weights.of_input, weights.of_state, bias, np.zeros_like(bias))


def lstm_weights(weights: CellWeights) -> CellWeights:
    """The weights with gates in the order i, f, o, g instead of i, f, g, o, and the first three of them halved.

    A sigmoid is a hyperbolic tangent of half the argument, so a single call of tanh then computes all gates.
    """
    merged = merged_biases(weights)
    H = weights.of_state.shape[1]
    order = np.r_[: 2 * H, 3 * H : 4 * H, 2 * H : 3 * H]
    scale = np.repeat(np.array(LSTM_SCALES, np.float32), H)
    return CellWeights(
        merged.of_input[order] * scale[:, None],
        merged.of_state[order] * scale[:, None],
        merged.input_bias[order] * scale,
        merged.state_bias,
    )


def lstm_step(of_input: Array, of_state: Array, state: tuple[Array, ...], bias: Array) -> tuple[Array, ...]:
    """Products of input and state (B, 4H), arranged by `lstm_weights`, and h, c (B, H) to h, c.

    Hochreiter and Schmidhuber 1997; Gers et al. 2000.
    """
    c = state[1]
    H = c.shape[1]
    gates = of_input + of_state
    np.tanh(gates, out=gates)
    sigmoids = gates[:, : 3 * H]
    sigmoids *= HALF
    sigmoids += HALF
    i, f, o, g = gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H : 3 * H], gates[:, 3 * H :]
    c = f * c + i * g
    return o * np.tanh(c), c


def gru_step(of_input: Array, of_state: Array, state: tuple[Array, ...], bias: Array) -> tuple[Array, ...]:
    """Products of input and state (B, 3H), gates r, z, n, the state bias (3H,), and h (B, H) to h.

    Cho et al., arXiv 1406.1078, in the form of cuDNN: the reset gate applies to the product of the state.
    """
    (h,) = state
    H = h.shape[1]
    of_state = of_state + bias
    r, z = np.split(sigmoid(of_input[:, : 2 * H] + of_state[:, : 2 * H]), 2, axis=1)
    n = np.tanh(of_input[:, 2 * H :] + r * of_state[:, 2 * H :])
    return ((1 - z) * n + z * h,)


def rnn_step(of_input: Array, of_state: Array, state: tuple[Array, ...], bias: Array) -> tuple[Array, ...]:
    """Products of input and state (B, H) to h (B, H). Elman 1990."""
    return (np.tanh(of_input + of_state),)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), computed with tanh, which does not overflow."""
    y: Array = np.tanh(x * HALF) * HALF + HALF
    return y


NUMPY_STEPS = {
    "lstm": CellStep(lstm_step, lstm_weights, LSTM_SCALES),
    "gru": CellStep(gru_step, separate_biases, (1.0,) * 3),
    "rnn": CellStep(rnn_step, merged_biases, (1.0,)),
}
