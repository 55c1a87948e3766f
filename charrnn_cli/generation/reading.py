"""Primes that a model has read: the hidden state after a text, even if the text is very long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.sampling import probabilities
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

END_TOKENS = 4096  # tokens at the end of a long text that are read first
COMPARED_TOKENS = 256  # the last predictions that are compared
MAX_DIVERGENCE = 1e-3  # nats by which predictions may differ if the beginning of the text makes no difference
TOKENS_PER_REPORT = 256
ReadProgress = Callable[[float], None]  # is called with the share that has been read


@dataclass(frozen=True)
class Prime:
    """A text that a model has read and can continue. Nothing changes it, so many texts can start from it."""

    ids: tuple[int, ...]  # may be empty
    context: tuple[int, ...]  # what the model reads: the ids, or the token that comes before a text
    state: Any  # hidden state after all of the context except its last token
    text: str
    unfinished: str  # stands for the character that the bytes of the prime start but do not finish; usually empty


def ignore_progress(share: float) -> None:
    """Reports nothing."""


def read_prime(
    engine: Engine[Any],
    vocabulary: Vocabulary,
    ids: list[int],
    after: Prime | None = None,
    progress: ReadProgress = ignore_progress,
    unknown: Sequence[str] = (),
) -> Prime:
    """Reads a prime, given as ids. If it starts with the prime `after`, reads only the tokens that follow it.

    `unknown` are the words that <unk> stands for, in their order: they are in the text of the prime.
    """
    context = ids or [first_token(vocabulary)]
    before = [] if after is None else list(after.context[:-1])
    if after is not None and context[: len(before)] == before and len(context) > len(before):
        state = read_more(engine, context[len(before) : -1], after.state, progress)
    else:
        state = read(engine, context[:-1], progress)
    joiner = tokenizer_of(vocabulary).joiner()
    tokens = vocabulary.decode(ids)
    words = iter(unknown)
    if vocabulary.unknown is not None:
        tokens = [
            next(words, token) if id == vocabulary.unknown else token for id, token in zip(ids, tokens, strict=True)
        ]
    text = "".join(map(joiner.add, tokens))
    return Prime(tuple(ids), tuple(context), state, text, joiner.end())


def read(engine: Engine[Any], ids: list[int], progress: ReadProgress = ignore_progress) -> Any:
    """The state after a text of any length.

    A recurrent network forgets, so only the end of a long text matters. The last `END_TOKENS` are read twice: from the
    initial state, and from a state that has read the beginning of the text. If both predict the same afterwards (mean
    Kullback-Leibler divergence), the rest of the text makes no difference. If not, the end is made four times as long,
    until it is the whole text.
    """
    length = END_TOKENS
    while length < len(ids):
        state, divergence = _read_end(engine, ids, length, progress)
        if divergence < MAX_DIVERGENCE:
            return state
        length *= 4
    return read_more(engine, ids, engine.start(1), progress)


def read_more(
    engine: Engine[Any],
    ids: list[int],
    state: Any,
    progress: ReadProgress = ignore_progress,
    predictions: list[NDArray[np.float32]] | None = None,
) -> Any:
    """The state after more tokens. Appends the last logits, (1, V) each, to `predictions`."""
    for position, id in enumerate(ids):
        if position % TOKENS_PER_REPORT == 0:
            progress(position / len(ids))
        logits, state = engine.step(np.array([id]), state)
        if predictions is not None and len(ids) - position <= COMPARED_TOKENS:
            predictions.append(logits)
    return state


def mean_divergence(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The mean Kullback-Leibler divergence, in nats, of predictions given as logits (B, V)."""
    log_p, log_q = (np.log(np.maximum(probabilities(logits.astype(np.float64)), 1e-300)) for logits in (ours, theirs))
    return float((np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean())


def _read_end(engine: Engine[Any], ids: list[int], length: int, progress: ReadProgress) -> tuple[Any, float]:
    """The state after the last `length` tokens, and how much predictions change if the beginning is read first."""
    end = ids[-length:]
    after_beginning = read_more(engine, ids[: END_TOKENS // 4], engine.start(1))
    predictions: list[NDArray[np.float32]] = []
    others: list[NDArray[np.float32]] = []
    state = read_more(engine, end, engine.start(1), lambda share: progress(share / 2), predictions)
    read_more(engine, end, after_beginning, lambda share: progress((1 + share) / 2), others)
    return state, mean_divergence(np.concatenate(predictions), np.concatenate(others))
