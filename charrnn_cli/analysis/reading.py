"""Reads a text with a model, and keeps what every cell holds after each token, and how well the token was predicted.

Sizes: N tokens of the text, B streams, T tokens of a window, V tokens of the vocabulary, S states, L layers, H units,
and C = S * L * H cells.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.errors import RunError
from charrnn_cli.generation.sampling import BROKEN
from charrnn_cli.network.loss import WARM_UP, Network, cut_streams
from charrnn_cli.network.model import HiddenState
from charrnn_cli.network.precision import exact_products
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
    network: Network, ids: NDArray[np.int32], first: int, device: torch.device, threads: Threads
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
        threads.start()
        values, bits, predicted, state = _read_window(network, inputs[positions.clip(0, N)], state, device)
        threads.stop()
        counted = (positions >= streams.starts) & (positions < streams.ends)
        after = counted & (positions > 0)  # position n reads the token n - 1, and predicts the token n
        reading.cells[:, positions[after] - 1] = values[:, after]
        before = counted & (positions < N)
        reading.bits[positions[before]] = _surprisal(bits, inputs[(positions + 1).clip(0, N)])[before]
        reading.predicted[positions[before]] = predicted[before]
        yield streams.progress(offset)
    if not np.isfinite(reading.bits).all():
        raise RunError(BROKEN)
    return reading


def _space(state: HiddenState, tokens: int) -> NDArray[np.float16]:
    cells = sum(part.shape[0] * part.shape[2] for part in state)
    return np.zeros((cells, tokens), np.float16)


def _read_window(
    network: Network, x: NDArray[np.int64], state: HiddenState, device: torch.device
) -> tuple[NDArray[np.float16], Tensor, NDArray[np.int32], HiddenState]:
    """Ids (B, T) and state to all cells (C, B, T), log-probabilities (B, T, V), likeliest tokens (B, T), and state."""
    states, logits = [], []
    ids = torch.from_numpy(x).to(device)
    with torch.no_grad(), exact_products(device.type):
        for t in range(ids.shape[1]):
            step_logits, state = network(ids[:, t : t + 1], state)  # (B, 1, V)
            states.append(torch.stack(state))  # (S, L, B, H)
            logits.append(step_logits)
        log_p = torch.cat(logits, 1).float().log_softmax(2)  # (B, T, V)
        values = torch.stack(states, 4).clamp(-LARGEST, LARGEST).half()  # (S, L, B, H, T)
        cells = values.transpose(2, 3).flatten(0, 2)  # (C, B, T)
    return cells.cpu().numpy(), log_p, log_p.argmax(2).int().cpu().numpy(), state


def _surprisal(log_p: Tensor, targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Bits (B, T) of targets (B, T) by log-probabilities (B, T, V)."""
    own = log_p.gather(2, torch.from_numpy(targets).to(log_p.device)[:, :, None])[:, :, 0]
    bits: NDArray[np.float32] = (-own / math.log(2)).clamp_min(0.0).cpu().numpy()
    return bits
