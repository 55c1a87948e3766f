"""A copy of a model that has learned from a text, such as a long prime. The model on disk does not change."""

import dataclasses
import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn_cli.config import Unknown
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.prime import EncodedPrime
from charrnn_cli.generation.reading import ReadProgress, ignore_progress
from charrnn_cli.network.adaptation import SEGMENT, AdaptiveNetwork, adaptive_network
from charrnn_cli.network.device import pick_device, watched_threads
from charrnn_cli.network.memory import memory_errors
from charrnn_cli.network.model import get_weights
from charrnn_cli.network.precision import exact_products

STREAM_TOKENS = 1 << 14  # a stream of a long text is at least this long
LEARNING_STREAMS = 32


def adapt(
    model: Model,
    text: str | EncodedPrime,
    *,
    unknown: Unknown = "error",
    progress: ReadProgress = ignore_progress,
) -> Model:
    """A copy of a model that has learned from a text. The model itself and its files do not change.

    The copy has the engine of the model. A long text is learned in several parallel streams. `progress` is called
    with the share that is done, 0 to 1. Raises UsageError for unknown characters and for a text of fewer than two
    tokens, DeviceError.
    """
    ids = model.encode(text, unknown).ids if isinstance(text, str) else text.ids
    if len(ids) < 2:
        raise UsageError("there is nothing to learn: the text has fewer than two tokens. Pass a longer one.")
    device = pick_device(model.gpu, False, model.device)
    network = adaptive_network(model.stored, device)
    with memory_errors("Pass a shorter text, or leave out `gpu`."):
        _learn(network, np.array(ids, np.int64), device, model.threads, progress)
    weights = {**model.stored.weights, **get_weights(network.model)}
    checksum = hashlib.sha256(b"".join(weight.tobytes() for weight in weights.values())).hexdigest()
    stored = dataclasses.replace(model.stored, weights=weights, checksum=checksum)
    return Model(model.run, stored, model.engine_name, model.gpu, model.device, model.threads)


def _learn(
    network: AdaptiveNetwork, ids: NDArray[np.int64], device: torch.device, threads: int | None, progress: ReadProgress
) -> None:
    """Reads ids (N,) as B streams of T tokens. If N is not B * T, it leaves out tokens at the start of the text."""
    B = min(LEARNING_STREAMS, max(1, len(ids) // STREAM_TOKENS))
    T = len(ids) // B
    streams = torch.from_numpy(ids[len(ids) - B * T :].reshape(B, T))
    state = network.zero_state(B)
    watched = watched_threads(device, threads)
    for start in range(0, T, SEGMENT):
        progress(start / T)
        watched.start()
        with exact_products(device.type):
            _, state = network(streams[:, start : start + SEGMENT].to(device), state)
        watched.stop()
    watched.reset()
