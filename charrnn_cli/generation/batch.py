"""Texts that an engine writes side by side. They join and leave at any token.

Sizes: B texts, T tokens, W recent tokens.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.generation.engine import Engine, IndependentEngine, Sampler, TokenBlock
from charrnn_cli.generation.requests import Ended, Events, Failed, ScoredToken, TextRequest, Written
from charrnn_cli.generation.sampling import Ids, allowed_tokens
from charrnn_cli.generation.state import JOINED_TOKENS
from charrnn_cli.generation.texts import RANDOMS_AHEAD, last_tokens, random_numbers
from charrnn_cli.generation.writer import Writer
from charrnn_cli.text.vocabulary import Vocabulary


def sampler_of(request: TextRequest, vocabulary: Vocabulary) -> Sampler:
    """How the tokens of a request are drawn. Raises UsageError if none may be drawn."""
    bias = None
    if request.bias:
        bias = np.zeros(len(vocabulary), np.float32)
        for id, number in request.bias:
            bias[id] += number
    allowed = allowed_tokens(request.settings, vocabulary)
    return Sampler(request.settings, allowed, request.scored, bias, request.alternatives)


class Slot:
    """One text of a batch: its random numbers, its last tokens, and what turns its tokens into text."""

    def __init__(self, request: TextRequest, sampler: Sampler, vocabulary: Vocabulary) -> None:
        self.request, self.sampler = request, sampler
        prompt, settings = request.prompt, request.settings
        joined = prompt.ids[-JOINED_TOKENS[vocabulary.level] :] if prompt.length else prompt.ids[:0]
        self.writer = Writer(vocabulary, settings, joined.tolist())
        self.last = int(prompt.ids[-1])  # the token that is read next
        W = settings.repetition_window if settings.repetition_penalty != 1 else 0
        self.recent = last_tokens(prompt.ids[None, max(0, len(prompt.ids) - W) :].astype(np.int64), W)  # (1, W)
        self._random = random_numbers(request.seed, request.number)
        self._uniforms = np.empty(0)
        self._waiting: list[ScoredToken] = []  # tokens whose text is held back
        self._reported = 0

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """The next random numbers of the text, (T,). They stay the next ones until tokens are added."""
        if len(self._uniforms) < count:
            self._uniforms = np.concatenate([self._uniforms, self._random.random(RANDOMS_AHEAD)])
        return self._uniforms[:count]

    def add(self, ids: list[int], scored: Sequence[ScoredToken], events: Events) -> None:
        """Takes more tokens: appends their text to `events`, and the end of the text if one of them ends it."""
        self.last = ids[-1]
        self._uniforms = self._uniforms[len(ids) :]
        if self.recent.size:
            self.recent = last_tokens(np.concatenate([self.recent, [ids]], axis=1), self.recent.shape[1])
        if not scored and (text := self.writer.add_plain(ids)) is not None:
            if text:
                events.append((self.request, Written(text, ())))
            return
        self._waiting += scored
        parts = list(self.writer.add(ids, [token.log_probability for token in scored] or None))
        if parts:
            text = "".join([part.text for part in parts])
            events.append((self.request, Written(text, self._released(parts[-1].number))))
        if self.writer.ending:
            events.append((self.request, Ended(self.writer.ending, self.writer.tokens)))

    def _released(self, number: int) -> tuple[ScoredToken, ...]:
        """The tokens up to this number that have not been reported."""
        if not self._waiting:
            return ()
        count = number - self._reported
        released, self._waiting, self._reported = tuple(self._waiting[:count]), self._waiting[count:], number
        return released


def scored_tokens(block: TokenBlock[Any], samplers: Sequence[Sampler]) -> list[list[ScoredToken]]:
    """The tokens of each text of a block, with as many alternatives as its sampler asks for; none if not scored."""
    if block.scores is None:
        return [[] for _ in samplers]
    rows = []
    for k, sampler in enumerate(samplers):
        likeliest: list[Any] = [()] * block.ids.shape[1]
        if sampler.alternatives and block.alternatives is not None:
            A = sampler.alternatives
            pairs = zip(
                block.alternatives.ids[k, :, :A].tolist(), block.alternatives.scores[k, :, :A].tolist(), strict=True
            )
            likeliest = [tuple(zip(ids, scores, strict=True)) for ids, scores in pairs]
        rows.append(list(map(ScoredToken, block.ids[k].tolist(), block.scores[k].tolist(), likeliest)))
    return rows


class Batch:
    """Texts that are written together. All are scored, or none is."""

    def __init__(self, engine: Engine[Any]) -> None:
        self.engine = engine
        self.rows: list[Slot] = []
        self._samplers: tuple[Sampler, ...] = ()  # of all rows; the same object as long as no text joins or leaves
        self._state: Any = None  # the state of all rows

    def join(self, rows: Sequence[Slot], states: Sequence[Any]) -> None:
        """Adds texts and their states."""
        self._state = self.engine.together([self._state, *states] if self.rows else states)
        self.rows += rows
        self._samplers = tuple(row.sampler for row in self.rows)

    def leave(self, left: set[TextRequest]) -> Events:
        """Ends the texts of cancelled requests."""
        events: Events = [
            (row.request, Ended("cancelled", row.writer.tokens)) for row in self.rows if row.request in left
        ]
        if events:
            self._keep([k for k, row in enumerate(self.rows) if row.request not in left])
        return events

    @property
    def most_left(self) -> int:
        """An upper limit on the number of tokens until all texts have ended."""
        return max(row.writer.most_left for row in self.rows)

    def write(self, count: int) -> Events:
        """Writes up to `count` tokens of each text. A text that fails ends alone."""
        ids = np.array([row.last for row in self.rows])  # (B,)
        uniforms = np.stack([row.uniforms(count) for row in self.rows])  # (B, T)
        try:
            block = self._block(ids, uniforms)
        except Exception as error:
            if len(self.rows) > 1:
                return self._write_alone(count)
            request = self.rows[0].request
            self._keep([])
            return [(request, Failed(error))]
        self._state = block.state
        events: Events = []
        scored = scored_tokens(block, self._samplers)
        for row, row_ids, row_scored in zip(self.rows, block.ids.tolist(), scored, strict=True):
            row.add(row_ids, row_scored, events)
        self._keep([k for k, row in enumerate(self.rows) if not row.writer.ending])
        return events

    def _block(self, ids: Ids, uniforms: NDArray[np.float64]) -> TokenBlock[Any]:
        if len(self.rows) == 1:
            return self.engine.write(ids, self._state, self.rows[0].recent, uniforms, self.rows[0].sampler)
        assert isinstance(self.engine, IndependentEngine)
        return self.engine.write_each(ids, self._state, uniforms, self._samplers)

    def _write_alone(self, count: int) -> Events:
        """Does the same as `write`, one text after the other, because one of them fails."""
        events: Events = []
        parts = []
        for k, row in enumerate(self.rows):
            part = Batch(self.engine)
            part.join([row], [self.engine.rows(self._state, np.array([k]))])
            events += part.write(count)
            parts.append(part)
        left = [part for part in parts if part.rows]
        self._keep([])
        if left:
            self.join([part.rows[0] for part in left], [part._state for part in left])
        return events

    def _keep(self, rows: list[int]) -> None:
        """Removes all texts but those with these numbers."""
        if len(rows) < len(self.rows):
            self._state = self.engine.rows(self._state, np.array(rows, int)) if rows else None
            self.rows = [self.rows[k] for k in rows]
            self._samplers = tuple(row.sampler for row in self.rows)
