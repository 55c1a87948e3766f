"""Connects the event loop with the engine thread: requests go one way, events the other.

The engine wakes the event loop once per block of tokens, not once per text or token. New text is sent at intervals,
that of all streams together.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from charrnn_cli.generation.batching import Batcher
from charrnn_cli.generation.requests import Ended, Events, Failed, TextEvent, TextRequest
from charrnn_cli.web.api_errors import ApiError

FLUSH_SECONDS = (0.016, 0.1)  # between two flushes: with few texts, and with STREAMS_FOR_LONGEST or more
STREAMS_FOR_LONGEST = 1000


class Listener(Protocol):
    """Receives the events of its texts."""

    def take(self, request: TextRequest, event: TextEvent) -> None:
        """Keeps the next event of one of its texts."""

    def wake(self) -> None:
        """Sends what it has kept."""


class Relay:
    """Submits requests to the batcher, and hands its events to the listeners."""

    def __init__(self, make_batcher: Callable[[Callable[[Events], None]], Batcher], most: int) -> None:
        """`most` is the number of texts that may be written at once."""
        self.batcher = make_batcher(self._deliver)
        self._most = most
        self._listeners: dict[TextRequest, Listener] = {}
        self._waiting: set[Listener] = set()  # for the next flush
        self._loop: asyncio.AbstractEventLoop
        self._closing = False

    def start(self) -> None:
        """Starts the engine thread, whose events go to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.batcher.start()

    async def loaded(self) -> None:
        """Waits until all engines are loaded. Raises UsageError, DeviceError."""
        await asyncio.wrap_future(self.batcher.loaded)

    async def close(self) -> None:
        """Refuses new requests, ends all texts, then the engine thread."""
        self._closing = True
        await asyncio.to_thread(self.batcher.close)

    @property
    def healthy(self) -> bool:
        """Whether the relay accepts requests."""
        return self.batcher.alive and not self._closing

    def submit(self, model: str, requests: Sequence[TextRequest], listener: Listener) -> None:
        """Asks the engine to write texts. Raises ApiError if there are too many, or if the server is stopping."""
        if self._closing:
            raise ApiError("the server is shutting down.", 503, code="shutting_down")
        if not self.batcher.alive:
            raise ApiError("the engine has failed. Restart the server.", 503, code="engine_failed")
        if len(self._listeners) + len(requests) > self._most:
            raise ApiError(
                f"this server writes at most {self._most} texts at once. Try again later.",
                429,
                code="too_many_streams",
                headers={"retry-after": "1"},
            )
        self._listeners.update(dict.fromkeys(requests, listener))
        self.batcher.submit(model, requests)

    def cancel(self, requests: Iterable[TextRequest]) -> None:
        """Ends the texts that have not ended yet. Their listener gets no more events."""
        running = [request for request in requests if self._listeners.pop(request, None) is not None]
        if running:
            self.batcher.cancel(running)

    def wake_later(self, listener: Listener) -> None:
        """Wakes a listener at the next flush."""
        if not self._waiting:
            shortest, longest = FLUSH_SECONDS
            busy = min(len(self._listeners) / STREAMS_FOR_LONGEST, 1.0)
            self._loop.call_later(shortest + (longest - shortest) * busy, self._flush)
        self._waiting.add(listener)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for listener in waiting:
            listener.wake()

    def _deliver(self, events: Events) -> None:
        """Called in the engine thread."""
        self._loop.call_soon_threadsafe(self._dispatch, events)

    def _dispatch(self, events: Events) -> None:
        for request, event in events:
            listener = self._listeners.get(request)
            if listener is None:  # it was cancelled
                continue
            if isinstance(event, (Ended, Failed)):
                del self._listeners[request]
            listener.take(request, event)
