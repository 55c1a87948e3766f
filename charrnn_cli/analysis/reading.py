"""Reads a text with a model, and keeps what every cell holds after each token, and how well the token was predicted.

Sizes: N tokens of the text, B streams, T tokens of a window, V tokens of the vocabulary, S states, L layers, H units,
and C = S * L * H cells.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.errors import RunError
from charrnn_cli.generation.sampling import BROKEN
from charrnn_cli.network.cells import CellSpec
from charrnn_cli.network.loss import WARM_UP, Positions, cut_streams
from charrnn_cli.network.model import HiddenState, LanguageModel
from charrnn_cli.network.precision import exact_products
from charrnn_cli.network.recurrent import LayerResult, run_layer, run_steps
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.threads import Threads

LARGEST = 65_504.0  # in float16
MOST_NUMBERS = 1 << 28  # kept at a time: half a gigabyte


@dataclass(frozen=True)
class CellReading:
    """What a model did with the N tokens of a text."""

    cells: NDArray[np.float16]  # (C, N) after each token; all units of h in the first layer come first
    bits: NDArray[np.float32]  # (N,) the surprisal of each token
    predicted: NDArray[np.int32]  # (N,) the likeliest token in its place


def read_with_cells(
    network: LanguageModel, ids: NDArray[np.int32], first: int, device: torch.device, threads: Threads
) -> Generator[float, None, CellReading]:
    """Reads a text, ids (N,): yields the share that is done, then returns the reading.

    The model reads the token `first` before the text. A long text is read in several streams side by side; each starts
    `WARM_UP` tokens early, so that it knows what it is in. Raises RunError if the weights are corrupt.
    """
    network.train(False)
    check_ids(ids, network.vocabulary_size)
    inputs = np.concatenate([[first], ids]).astype(np.int64)  # (N + 1,)
    N = len(ids)
    streams = cut_streams(N + 1, WARM_UP, network.vocabulary_size)
    state = network.zero_state(len(streams.starts))
    reading = CellReading(_space(state, N), np.zeros(N, np.float32), np.zeros(N, np.int32))
    for offset, positions in streams.windows():
        if offset == 0:
            for part in state:  # (L, B, H)
                part[:, 0] = 0.0  # the warm-up of the first stream read nothing real
        x = torch.from_numpy(inputs[positions.clip(0, N)]).to(device)  # (B, T)
        threads.start()
        in_text = offset >= 0
        with torch.no_grad(), exact_products(device.type), _all_states(network, in_text) as states:
            logits, state = network(x, state)  # (B, T, V)
        threads.stop()
        if in_text:
            _keep(reading, inputs, positions, positions < streams.ends, states, logits)
        yield streams.progress(offset)
    if not np.isfinite(reading.bits).all():
        raise RunError(BROKEN)
    return reading


def _space(state: HiddenState, tokens: int) -> NDArray[np.float16]:
    cells = sum(part.shape[0] * part.shape[2] for part in state)
    return np.zeros((cells, tokens), np.float16)


@contextmanager
def _all_states(network: LanguageModel, wanted: bool) -> Iterator[list[HiddenState]]:
    """Yields a list. If `wanted`, each layer that reads tokens appends its states (T, B, H) after every token."""
    states: list[HiddenState] = []

    def run(cell: CellSpec, weights: Sequence[Tensor], x: Tensor, state: HiddenState, _: bool) -> LayerResult:
        states.append(run_steps(cell, weights, x, state))
        return states[-1][0], tuple(part[-1:] for part in states[-1])

    if wanted:
        network.rnn.run_layer = run
    try:
        yield states
    finally:
        network.rnn.run_layer = run_layer


def _keep(
    reading: CellReading,
    inputs: NDArray[np.int64],
    positions: Positions,
    counted: NDArray[np.bool_],
    states: list[HiddenState],
    logits: Tensor,
) -> None:
    """Adds the `counted` (B, T) positions of a window to the reading: states (T, B, H) of each layer, logits (B, T, V).

    At position n, the network reads token n - 1 and predicts token n.
    """
    N = len(inputs) - 1
    values = torch.stack([part for parts in zip(*states, strict=True) for part in parts])  # (S * L, T, B, H)
    cells = values.clamp(-LARGEST, LARGEST).half().permute(0, 3, 2, 1).flatten(0, 1).cpu().numpy()  # (C, B, T)
    for stream, after in enumerate(counted & (positions > 0)):
        steps = np.flatnonzero(after)  # consecutive: slices are faster to copy than single columns
        if len(steps):
            first, last = steps[0], steps[-1]
            tokens = slice(positions[stream, first] - 1, positions[stream, last])
            reading.cells[:, tokens] = cells[:, stream, first : last + 1]
    log_p = logits.float().log_softmax(2)  # (B, T, V)
    before = counted & (positions < N)
    reading.bits[positions[before]] = _surprisal(log_p, inputs[(positions + 1).clip(0, N)])[before]
    reading.predicted[positions[before]] = log_p.argmax(2).int().cpu().numpy()[before]


def _surprisal(log_p: Tensor, targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bits (B, T) of targets (B, T) by log-probabilities (B, T, V)."""
    own = log_p.gather(2, torch.from_numpy(targets).to(log_p.device)[:, :, None])[:, :, 0]
    bits: NDArray[np.float32] = (-own / math.log(2)).clamp_min(0.0).cpu().numpy()
    return bits
