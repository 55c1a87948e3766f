"""All requests to one model: prompts that are being read, and texts that are being written."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from charrnn_cli.generation.batch import Batch, Slot, sampler_of
from charrnn_cli.generation.engine import Engine, IndependentEngine
from charrnn_cli.generation.prefill import Reading
from charrnn_cli.generation.requests import Ended, Events, Failed, Read, TextRequest
from charrnn_cli.generation.state_cache import StateCache
from charrnn_cli.text.vocabulary import Vocabulary

BLOCK_SECONDS = 0.04  # that a block may take: after it, requests can join
MIN_BLOCK_TOKENS, MAX_BLOCK_TOKENS = 2, 16  # of each text; the work for a block is less for each of two tokens
PROMPTS_AT_ONCE = 256


class BlockSize:
    """How many tokens of each text fit into the time of a block, from the time that the last blocks took."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._seconds = clock, 1e-4  # of one token of one text

    def tokens(self, texts: int) -> int:
        fitting = BLOCK_SECONDS / (self._seconds * max(texts, 1))
        return int(min(max(fitting, MIN_BLOCK_TOKENS), MAX_BLOCK_TOKENS))

    def measure(self, work: Callable[[], Events], tokens: int) -> Events:
        """Does the work of this many tokens of all texts together, and notes the time."""
        started = self._clock()
        events = work()
        self._seconds += 0.1 * ((self._clock() - started) / tokens - self._seconds)
        return events


class Lane:
    """The requests to one model."""

    def __init__(self, engine: Engine[Any], vocabulary: Vocabulary, cache: StateCache, name: str) -> None:
        self.engine, self.vocabulary, self.cache, self.name = engine, vocabulary, cache, name
        self._readings: deque[Reading] = deque()
        self._shared = {False: Batch(engine), True: Batch(engine)}  # texts that are written together, by `scored`
        self._alone: list[Batch] = []  # texts that are written one by one
        self._block = BlockSize()

    @property
    def streams(self) -> int:
        """The number of requests that are being read or written."""
        return len(self._readings) + sum(len(batch.rows) for batch in self._batches)

    def take_all(self) -> list[TextRequest]:
        """Removes all requests."""
        requests = [one.request for one in self._readings] + [
            row.request for batch in self._batches for row in batch.rows
        ]
        self.cancel(set(requests))
        return requests

    @property
    def _batches(self) -> list[Batch]:
        return [*self._shared.values(), *self._alone]

    def add(self, request: TextRequest) -> None:
        """Starts to read the prompt of a request."""
        owner = f"{self.name}\0{request.owner}".encode()
        self._readings.append(Reading(request, self.engine, self.cache, owner))

    def cancel(self, requests: set[TextRequest]) -> Events:
        """Ends those of the requests that are here."""
        events: Events = [(one.request, Ended("cancelled", 0)) for one in self._readings if one.request in requests]
        self._readings = deque(one for one in self._readings if one.request not in requests)
        for batch in self._batches:
            events += batch.leave(requests)
        self._forget_empty()
        return events

    def advance(self) -> Events:
        """Reads and writes a block of tokens of each request."""
        events = self._read()
        texts = sum(len(batch.rows) for batch in self._batches)
        most = self._block.tokens(texts)
        for batch in self._batches:
            if batch.rows:
                count = min(most, batch.most_left)
                tokens = count * len(batch.rows)
                events += self._block.measure(lambda batch=batch, count=count: batch.write(count), tokens)  # type: ignore[misc]
        self._forget_empty()
        return events

    def _forget_empty(self) -> None:
        self._alone = [batch for batch in self._alone if batch.rows]

    def _read(self) -> Events:
        """Reads a block of tokens of the prompts. Texts whose prompt has been read are written from now on."""
        together = []
        for reading in list(self._readings)[:PROMPTS_AT_ONCE]:
            if reading.steps is None and not reading.done:
                together.append(reading)
        single = next((reading for reading in self._readings if reading.steps is not None), None)
        if single is not None:
            single.step(self.engine, self.cache)
            self._readings.remove(single)
            self._readings.append(single)  # other prompts come first
        if together:
            self._read_together(together if isinstance(self.engine, IndependentEngine) else together[:1])
        return self._start_texts()

    def _read_together(self, readings: list[Reading]) -> None:
        """Reads the next tokens of several prompts side by side, at most to where the first state is saved."""
        count = min(self._block.tokens(len(readings)) * 4, *(reading.ahead for reading in readings))
        ids = np.stack([one.request.prompt.ids[one.position : one.position + count] for one in readings])  # (B, T)
        states = self.engine.read(ids.astype(np.int64), self.engine.together([one.state for one in readings]))
        for k, reading in enumerate(readings):
            reading.advance(count, self.engine.rows(states, np.array([k])), self.engine, self.cache)

    def _start_texts(self) -> Events:
        """Adds the texts whose prompts have been read to batches."""
        events: Events = []
        started: dict[bool, list[tuple[Slot, Any]]] = {False: [], True: []}
        for reading in [reading for reading in self._readings if reading.done]:
            self._readings.remove(reading)
            row = self._start_text(reading, events)
            if row is None:
                continue
            if isinstance(self.engine, IndependentEngine) and row.sampler.filter_settings <= self.engine.fuses:
                started[row.sampler.scored].append((row, reading.state))
            else:
                self._alone.append(Batch(self.engine))
                self._alone[-1].join([row], [reading.state])
        for scored, rows in started.items():
            if rows:
                self._shared[scored].join(*zip(*rows, strict=True))
        return events

    def _start_text(self, reading: Reading, events: Events) -> Slot | None:
        """The text after a prompt; None if it has ended already."""
        request = reading.request
        try:
            row = Slot(request, sampler_of(request, self.vocabulary), self.vocabulary)
        except Exception as error:
            events.append((request, Failed(error)))
            return None
        text = request.prompt.text(self.vocabulary, finished=request.settings.length == 0) if request.echo else ""
        events.append((request, Read(text, tuple(reading.tokens), reading.cached)))
        if row.writer.ending:
            events.append((request, Ended(row.writer.ending, 0)))
            return None
        return row
