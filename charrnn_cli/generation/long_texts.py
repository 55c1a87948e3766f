"""Reads long texts from near their end, because a recurrent network forgets."""

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.sampling import Ids, probabilities

BLOCK = 1024  # tokens; what is left out depends only on the whole blocks of a text
END_TOKENS = 4 * BLOCK  # tokens at the end of the whole blocks that are read first
LONG_TEXT = 2 * END_TOKENS  # tokens from which on a text is long
COMPARED_TOKENS = 256  # the last predictions that are compared
MAX_DIVERGENCE = 1e-3  # nats by which predictions may differ if the beginning of the text makes no difference
TOKENS_AT_ONCE = 64


def read_blocks(engine: Engine[Any], ids: Ids) -> Generator[float, None, Any]:
    """Reads the whole blocks of a long text, ids (n,), and returns the state after them. Yields the share read so far.

    Only the end of a long text matters. The last `END_TOKENS` are read from the initial state and from a state that has
    read the beginning of the text. If both predict the same afterwards (mean Kullback-Leibler divergence), the rest of
    the text makes no difference. If not, the end is made four times as long, until it is the whole text. Because the
    result depends only on whole blocks, it stays the same for all texts that differ after them.
    """
    ids = ids[: len(ids) // BLOCK * BLOCK]
    length = END_TOKENS
    while length < len(ids):
        start = engine.start(1)
        starts = [start, engine.read(ids[None, :BLOCK], start)]
        states, predictions = yield from _read_end(engine, ids[-length:], starts)
        if mean_divergence(*predictions) < MAX_DIVERGENCE:
            return states[0]
        length *= 4
    states, _ = yield from _read_end(engine, ids, [engine.start(1)])
    return states[0]


def mean_divergence(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The mean Kullback-Leibler divergence, in nats, of predictions given as logits (B, V)."""
    log_p, log_q = (np.log(np.maximum(probabilities(logits.astype(np.float64)), 1e-300)) for logits in (ours, theirs))
    return float((np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean())


def _read_end(
    engine: Engine[Any], ids: Ids, states: list[Any]
) -> Generator[float, None, tuple[list[Any], list[NDArray[np.float32]]]]:
    """The states after the same text, ids (n,), from each of several states, and the last logits (.., V) of each."""
    predictions: list[list[NDArray[np.float32]]] = [[] for _ in states]
    compared = max(0, len(ids) - COMPARED_TOKENS)
    for first in range(0, compared, TOKENS_AT_ONCE):
        block = ids[None, first : min(first + TOKENS_AT_ONCE, compared)]
        states = [engine.read(block, state) for state in states]
        yield first / len(ids)
    for position in range(compared, len(ids)):
        for k, state in enumerate(states):
            logits, states[k] = engine.step(ids[position : position + 1], state)
            predictions[k].append(logits)
        if position % TOKENS_AT_ONCE == 0:
            yield position / len(ids)
    return states, [np.concatenate(logits) for logits in predictions]
