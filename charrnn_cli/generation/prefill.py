"""Reads prompts before texts are written after them, as far as no state is in the cache.

Sizes: B prompts, T tokens, V tokens of the vocabulary.
"""

from collections.abc import Generator
from typing import Any

import numpy as np

from charrnn_cli.generation.engine import Engine, alternatives
from charrnn_cli.generation.long_texts import BLOCK, LONG_TEXT, read_blocks
from charrnn_cli.generation.prompts import Prompt
from charrnn_cli.generation.requests import ScoredToken, TextRequest
from charrnn_cli.generation.sampling import Logits, log_probabilities
from charrnn_cli.generation.state_cache import StateCache

SAVED_BEFORE_END = (8, 64, 512)  # tokens before the end of a long prompt, where it may be edited
SCORED_AT_ONCE = 16  # tokens


class Reading:
    """A prompt that is being read: `position` tokens are read, and `state` is the state after them."""

    def __init__(self, request: TextRequest, engine: Engine[Any], cache: StateCache, owner: bytes) -> None:
        self.request, self.owner = request, owner
        self.tokens: list[ScoredToken] = []  # those of the prompt, if they are scored
        self.cached = 0
        self.position, self.state = 0, engine.start(1)
        self.steps: Generator[Any, None, Any] | None = None  # work that is done for this prompt alone
        if request.prompt_scored:
            self.steps = self._score(engine)
        else:
            self._use_cache(engine, cache)
        self._saved = saved_positions(request.prompt, self.position)

    def _use_cache(self, engine: Engine[Any], cache: StateCache) -> None:
        """Starts from a state in the cache. A long text without one is read from near its end."""
        prompt = self.request.prompt
        position, state = cache.find(self.owner, prompt)
        if prompt.to_read >= LONG_TEXT and position < prompt.to_read // BLOCK * BLOCK:
            self.steps = self._read_end(engine)
        elif state is not None:
            self.position = self.cached = position
            self.state = engine.from_array(np.frombuffer(state, np.float32)[None])

    @property
    def done(self) -> bool:
        return self.steps is None and self.position == self.request.prompt.to_read

    @property
    def ahead(self) -> int:
        """The number of tokens to the next position whose state is saved."""
        return self._saved[0] - self.position if self._saved else 0

    def advance(self, count: int, state: Any, engine: Engine[Any], cache: StateCache) -> None:
        """Takes the state after `count` more tokens, at most those `ahead`."""
        self.position, self.state = self.position + count, state
        self._save(engine, cache)

    def step(self, engine: Engine[Any], cache: StateCache) -> None:
        """Does a part of the work for this prompt alone."""
        assert self.steps is not None
        try:
            next(self.steps)
        except StopIteration:
            self.steps = None
            if not self.request.prompt_scored:
                self._save(engine, cache)

    def _save(self, engine: Engine[Any], cache: StateCache) -> None:
        while self._saved and self._saved[0] < self.position:
            del self._saved[0]
        if self._saved and self._saved[0] == self.position:
            del self._saved[0]
            cache.put(self.owner, self.request.prompt, self.position, engine.to_array(self.state).tobytes())

    def _read_end(self, engine: Engine[Any]) -> Generator[Any, None, None]:
        prompt = self.request.prompt
        blocks = prompt.to_read // BLOCK * BLOCK
        self.state = yield from read_blocks(engine, prompt.ids[:blocks].astype(np.int64))
        self.position = blocks

    def _score(self, engine: Engine[Any]) -> Generator[Any, None, None]:
        """Reads token by token, and notes the log-probability of each."""
        ids = self.request.prompt.ids.astype(np.int64)
        first = 0 if self.request.prompt.length else 1  # a text without a prompt has none to score
        self.tokens += [ScoredToken(int(id), float("nan")) for id in ids[:1][first:]]
        for position in range(len(ids) - 1):
            logits, self.state = engine.step(ids[position : position + 1], self.state)
            self.tokens.append(_scored(logits.astype(np.float64), ids[position + 1], self.request.alternatives))
            self.position = position + 1
            if position % SCORED_AT_ONCE == 0:
                yield


def _scored(logits: Logits, id: np.int64, count: int) -> ScoredToken:
    """A token with its log-probability by logits (1, V), and the `count` likeliest ones."""
    score = float(log_probabilities(logits, np.array([id]))[0])
    if not count:
        return ScoredToken(int(id), score)
    likeliest = alternatives(logits, count)
    pairs = zip(likeliest.ids[0, 0].tolist(), likeliest.scores[0, 0].tolist(), strict=True)
    return ScoredToken(int(id), score, tuple(pairs))


def saved_positions(prompt: Prompt, after: int = 0) -> list[int]:
    """Where the states of a prompt are saved: after each block, at its end, and shortly before that if it is long.

    Only positions behind `after`.
    """
    end = prompt.to_read
    places = {*range(after // BLOCK * BLOCK, end, BLOCK), end}
    if end >= BLOCK:
        places |= {end - tokens for tokens in SAVED_BEFORE_END}
    return sorted(place for place in places if place > after)
