"""Reads texts: the state after a text, even if the text is very long."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import numpy as np

from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.long_texts import BLOCK, LONG_TEXT, TOKENS_AT_ONCE, read_blocks
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.sampling import Ids
from charrnn_cli.generation.state import RECENT_TOKENS, State
from charrnn_cli.text.vocabulary import Vocabulary

Outcome = TypeVar("Outcome")
ReadProgress = Callable[[float], None]  # is called with the share that has been read


def ignore_progress(share: float) -> None:
    """Reports nothing."""


def finished(steps: Generator[float, None, Outcome], progress: ReadProgress) -> Outcome:
    """What a reading that yields the share that is done returns at its end."""
    while True:
        try:
            progress(next(steps))
        except StopIteration as end:
            result: Outcome = end.value
            return result


def read_tokens(
    engine: Engine[Any],
    vocabulary: Vocabulary,
    ids: Sequence[int],
    after: State | None = None,
    progress: ReadProgress = ignore_progress,
    model: str = "",
) -> State:
    """The state after a text, given as ids; `after` is the state before it, None if a text starts with it.

    `model` is the SHA-256 of the weights. Of a long text without a state before it, only the end is read.
    """
    if after is None or not after.recent:  # the token that stands for no text is not read before a text
        context, recent = list(ids) or [first_token(vocabulary)], ids
        hidden = read_start(engine, np.array(context[:-1], np.int64), progress)
    else:
        context, recent = [after.last, *ids], [*after.recent, *ids]
        hidden = read_more(engine, np.array(context[:-1], np.int64), engine.from_array(after.hidden[None]), progress)
    return State(engine.to_array(hidden)[0], context[-1], tuple(recent[-RECENT_TOKENS:]), model)


def read_start(engine: Engine[Any], ids: Ids, progress: ReadProgress = ignore_progress) -> Any:
    """The hidden state after the start of a text, ids (n,)."""
    if len(ids) < LONG_TEXT:
        return read_more(engine, ids, engine.start(1), progress)
    hidden = finished(read_blocks(engine, ids), progress)
    return read_more(engine, ids[len(ids) // BLOCK * BLOCK :], hidden)


def read_more(engine: Engine[Any], ids: Ids, hidden: Any, progress: ReadProgress = ignore_progress) -> Any:
    """The hidden state after more tokens, ids (n,)."""
    for start in range(0, len(ids), TOKENS_AT_ONCE):
        progress(start / len(ids))
        hidden = engine.read(ids[None, start : start + TOKENS_AT_ONCE], hidden)
    return hidden
