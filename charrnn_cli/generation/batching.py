"""Writes many texts at once in one thread: requests join and leave at any time, and none changes another's text."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from charrnn_cli.errors import RunError
from charrnn_cli.generation.lane import Lane
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.requests import Ended, Events, Failed, TextEvent, TextRequest, Written
from charrnn_cli.generation.state_cache import StateCache

Deliver = Callable[[Events], None]


class Batcher:
    """Reads prompts and writes texts of several models in a thread of its own.

    `deliver` is called in that thread with the events of each block of tokens. Each request ends with exactly one Ended
    or Failed. All other methods may be called from any thread.
    """

    def __init__(self, models: Mapping[str, Model], deliver: Deliver, cache_bytes: int) -> None:
        self._models, self._cache = models, StateCache(cache_bytes)
        self._lanes: dict[str, Lane] = {}  # of all models; empty until their engines are loaded
        self.loaded: Future[None] = Future()  # done when they are; raises UsageError or DeviceError
        self._deliver = deliver
        self._inbox: queue.SimpleQueue[tuple[str, TextRequest] | None] = (
            queue.SimpleQueue()
        )  # None only wakes the thread
        self._cancelled: set[TextRequest] = set()
        self._closing = False
        self._final: Callable[[TextRequest], TextEvent] | None = None  # how requests end after the thread
        self._thread = threading.Thread(target=self._run, name="charrnn batcher", daemon=True)
        self.written = 0  # characters since the start

    def start(self) -> None:
        """Starts the thread, which loads the engines first. Requests may be submitted before `loaded` is done."""
        self._thread.start()

    def submit(self, model: str, requests: Iterable[TextRequest]) -> None:
        """Adds requests to a model; their events follow."""
        for request in requests:
            self._inbox.put((model, request))
        if self._final:
            self._end_all(self._final)

    def cancel(self, requests: Iterable[TextRequest]) -> None:
        """Ends requests with "cancelled"; those that have ended stay as they are."""
        self._cancelled.update(requests)
        self._inbox.put(None)

    def close(self) -> None:
        """Ends all texts with "cancelled", and the thread."""
        self._closing = True
        self._inbox.put(None)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs. If it ends by an error, all requests fail."""
        return self._thread.is_alive()

    @property
    def streams(self) -> int:
        """The number of requests that are being read or written."""
        return sum(lane.streams for lane in self._lanes.values())

    @property
    def waiting(self) -> int:
        """The number of requests that the thread has not looked at."""
        return self._inbox.qsize()

    @property
    def cached_states(self) -> int:
        """The number of hidden states in the cache."""
        return len(self._cache)

    @property
    def cached_bytes(self) -> int:
        """The memory that they take."""
        return self._cache.bytes

    def _run(self) -> None:
        """Works until `close`. An error in here is a bug: all requests fail, and the thread ends with a traceback."""
        try:
            self._load()
            while not self._closing:
                events = self._take_requests()
                for lane in self._lanes.values():
                    events += lane.advance()
                self._send(events)
            self._end_all(lambda request: Ended("cancelled", 0))
        except BaseException:
            self._end_all(lambda request: Failed(RunError("the engine has stopped. Start the server again.")))
            raise

    def _load(self) -> None:
        """Loads the engines of all models. An error becomes that of `loaded`, and ends the thread."""
        lanes = {}
        try:
            for name, model in self._models.items():
                model.engine.warm_up()
                lanes[name] = Lane(model.engine, model.vocabulary, self._cache, name)
        except Exception as error:
            self._closing = True
            self.loaded.set_exception(error)
            return
        self._lanes = lanes
        self.loaded.set_result(None)

    def _take_requests(self) -> Events:
        """Adds the requests that have come, and ends cancelled ones. Waits if there is nothing else to do."""
        events: Events = []
        if not self.streams:
            self._start(self._inbox.get(), events)
        cancelled = {self._cancelled.pop() for _ in range(len(self._cancelled))}
        while not self._inbox.empty():  # after `_cancelled`: what was cancelled had been submitted before
            self._start(self._inbox.get(), events)
        if cancelled:
            events += [event for lane in self._lanes.values() for event in lane.cancel(cancelled)]
        return events

    def _start(self, item: tuple[str, TextRequest] | None, events: Events) -> None:
        """Adds what was in the inbox to its lane."""
        if item is None:
            return
        name, request = item
        try:
            self._lanes[name].add(request)
        except Exception as error:
            events.append((request, Failed(error)))

    def _send(self, events: Events) -> None:
        if events:
            self.written += sum(len(event.text) for _, event in events if isinstance(event, Written))
            self._deliver(events)

    def _end_all(self, final: Callable[[TextRequest], TextEvent]) -> None:
        """Ends all requests, and those that come later. `submit` sees `_final`, or this sees what it submits."""
        self._final = final
        requests = [request for lane in self._lanes.values() for request in lane.take_all()]
        while not self._inbox.empty():
            with contextlib.suppress(queue.Empty):
                if item := self._inbox.get_nowait():
                    requests.append(item[1])
        if requests:
            self._deliver([(request, final(request)) for request in requests])
