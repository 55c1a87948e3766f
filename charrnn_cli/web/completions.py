"""Completions: turns the events of their texts into a JSON response or a stream of server-sent events.

A stream is one task that sleeps until there is something to send. Each event it sends is the text between bytes that
are the same in every event and are encoded only once.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from charrnn_cli.generation.requests import Ended, Failed, Read, ScoredToken, TextEvent, TextRequest, Written
from charrnn_cli.web.api_errors import ApiError, as_api_error
from charrnn_cli.web.jobs import Job
from charrnn_cli.web.logprobs import LogprobsWriter
from charrnn_cli.web.protocol import ChoiceRecord, CompletionResponse, FinishReason, Logprobs, Usage
from charrnn_cli.web.relay import Relay

FINISH_REASONS: dict[str, FinishReason] = {"length": "length", "cancelled": "cancelled"}  # the other endings: "stop"
EVENT_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]
MANY_SCORED = 10_000  # tokens
to_json = msgspec.json.Encoder().encode


class Part(NamedTuple):
    """A part of a text, to be sent to the client."""

    text: str
    scored: list[ScoredToken]  # empty if the client did not ask for them
    finish_reason: FinishReason | None  # None: more will follow


class Choice:
    """One text of a completion: what has been written but not sent yet."""

    def __init__(self, index: int, request: TextRequest, job: Job) -> None:
        self.index = index
        self.ending: str | None = None
        self.tokens = 0
        self.cached = 0  # tokens of the prompt that did not have to be read
        self.log_probability = 0.0  # of the tokens so far
        self._parts: list[str] = []
        self._scored: list[ScoredToken] = []
        self._logprobs = None
        if job.logprobs is not None:
            self._logprobs = LogprobsWriter(job.served.model.vocabulary, request.prompt, job.echo)

    def take(self, event: Read | Written | Ended) -> None:
        if isinstance(event, Ended):
            self.ending, self.tokens = event.ending, event.tokens
            return
        self._parts.append(event.text)
        if isinstance(event, Read):
            self.cached = event.cached
        elif event.tokens:
            self.log_probability += sum(token.log_probability for token in event.tokens)
        if self._logprobs is not None:
            self._scored += event.tokens

    def pull(self) -> "Part":
        """Takes out what was added since the last call."""
        reason = None if self.ending is None else FINISH_REASONS.get(self.ending, "stop")
        part = Part("".join(self._parts), self._scored, reason)
        self._parts, self._scored = [], []
        return part

    def logprobs(self, part: "Part") -> Logprobs | None:
        """The tokens of a part; None if the client did not ask for them."""
        return None if self._logprobs is None else self._logprobs.add(part.scored)

    @property
    def mean_log_probability(self) -> float:
        return self.log_probability / max(self.tokens, 1)


Parts = list[tuple[Choice, Part]]


class Completion(Response):
    """What both kinds of completion share: their texts, the error that ends them, and a client that may disconnect."""

    def __init__(self, job: Job, relay: Relay) -> None:  # Response's own __init__ would render a body
        self._job, self._relay = job, relay
        self._choices = {request: Choice(k, request, job) for k, request in enumerate(job.requests)}
        self._writing = len(self._choices)  # texts that have not ended
        self._error: ApiError | None = None
        self._woken = asyncio.Event()
        self._client_left = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher: asyncio.Task[None] | None = None
        try:
            self._relay.submit(self._job.served.name, self._job.requests, self)
            watcher = asyncio.create_task(self._watch(receive))
            await self._respond(scope, receive, send)
        finally:
            self._relay.cancel(self._job.requests)
            if watcher is not None:
                watcher.cancel()

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the response, unless the client disconnects."""
        raise NotImplementedError

    async def _watch(self, receive: Receive) -> None:
        """Waits until the client disconnects, and frees its places in the batch."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._client_left = True
        self._relay.cancel(self._job.requests)
        self.wake()

    def wake(self) -> None:
        self._woken.set()

    def take(self, request: TextRequest, event: TextEvent) -> None:
        """Takes an event. A failure ends all texts of the completion."""
        if isinstance(event, Failed):
            self._error = as_api_error(event.error)
            self._relay.cancel(self._job.requests)
            self.wake()
            return
        self._choices[request].take(event)
        if isinstance(event, Ended):
            self._writing -= 1

    def _usage(self) -> Usage:
        prompts = sum(prompt.length for prompt in self._job.prompts)
        choices = list(self._choices.values())
        written = sum(choice.tokens for choice in choices)
        cached = sum(choice.cached for choice in choices[:: self._job.best_of])
        return Usage(prompts, written, prompts + written, {"cached_tokens": cached})


class WholeCompletion(Completion):
    """A completion that is one JSON response, sent after the last text has ended."""

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._woken.wait()
        if self._client_left:
            return
        if self._error is None and any(choice.ending == "cancelled" for choice in self._choices.values()):
            self._error = ApiError("the server is shutting down.", 503, code="shutting_down")
        if self._error is not None:
            await self._error.response(scope, receive, send)
            return
        parts = [(choice, choice.pull()) for choice in self._chosen()]
        body = await _computed(self._response, parts)
        await Response(body, 200, {"cache-control": "no-store"}, "application/json")(scope, receive, send)

    def take(self, request: TextRequest, event: TextEvent) -> None:
        super().take(request, event)
        if not self._writing:
            self.wake()

    def _response(self, parts: Parts) -> bytes:
        job = self._job
        records = [
            ChoiceRecord(index, part.text, choice.logprobs(part), part.finish_reason or "stop")
            for index, (choice, part) in enumerate(parts)
        ]
        return to_json(CompletionResponse(job.id, job.created, job.served.name, job.seed, records, self._usage()))

    def _chosen(self) -> Iterator[Choice]:
        """The `n` texts of each prompt. Of `best_of` texts they are the likeliest per token, the likeliest first."""
        n, best_of = self._job.n, self._job.best_of
        choices = list(self._choices.values())
        for first in range(0, len(choices), best_of):
            texts = choices[first : first + best_of]
            if best_of > n:
                texts.sort(key=lambda choice: -choice.mean_log_probability)  # stable: of equal ones the first
            yield from texts[:n]


class StreamedCompletion(Completion):
    """A completion that is a stream of server-sent events. The last one is `[DONE]`."""

    def __init__(self, job: Job, relay: Relay) -> None:
        super().__init__(job, relay)
        self._changed: set[Choice] = set()  # since the last sending
        self._text_sent = False
        head = {"id": job.id, "object": "text_completion", "created": job.created, "model": job.served.name}
        start = b"data: " + to_json({**head, "seed": job.seed})[:-1] + b',"choices":['
        usage = b',"usage":null' if job.include_usage else b""
        self._before = {choice: b'%b{"index":%d,"text":' % (start, choice.index) for choice in self._choices.values()}
        self._after = b"}]" + usage + b"}\n\n"
        self._usual = b',"logprobs":null,"finish_reason":null' + self._after
        self._before_usage = start + b'],"usage":'

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._woken.wait()
        if self._error is not None:  # before any text, so the status can tell
            await self._error.response(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": EVENT_HEADERS})
        while not self._client_left:
            self._woken.clear()
            ends = not self._writing or self._error is not None
            parts = [(choice, choice.pull()) for choice in self._changed]
            self._changed.clear()
            body = await _computed(self._events, parts)
            if ends:
                body += b"".join(self._last_events())
            await send({"type": "http.response.body", "body": body, "more_body": not ends})
            if ends:
                return
            await self._woken.wait()

    def take(self, request: TextRequest, event: TextEvent) -> None:
        """Takes an event. The first text and the end of the stream are sent at once, other text at the next flush."""
        super().take(request, event)
        if isinstance(event, Failed) or (isinstance(event, Read) and not event.text):
            return
        self._changed.add(self._choices[request])
        if self._writing and self._text_sent:
            self._relay.wake_later(self)
        else:
            self._text_sent = True
            self.wake()

    def _events(self, parts: Parts) -> bytes:
        """What has been written since the last sending, as one event for each text."""
        pieces = []
        for choice, part in parts:
            pieces += [self._before[choice], to_json(part.text)]
            if self._job.logprobs is None and part.finish_reason is None:
                pieces.append(self._usual)
            else:
                logprobs, reason = to_json(choice.logprobs(part)), to_json(part.finish_reason)
                pieces += [b',"logprobs":%b,"finish_reason":%b' % (logprobs, reason), self._after]
        return b"".join(pieces)

    def _last_events(self) -> Iterator[bytes]:
        if self._error is not None:
            yield b"data: %b\n\n" % to_json(self._error.record)
        elif self._job.include_usage:
            yield self._before_usage + to_json(self._usage()) + b"}\n\n"
        yield b"data: [DONE]\n\n"


async def _computed(compute: Callable[[Parts], bytes], parts: Parts) -> bytes:
    """The result of `compute`; in a thread if there are many scored tokens, so that no stream waits."""
    if sum(len(part.scored) for _, part in parts) > MANY_SCORED:
        return await asyncio.to_thread(compute, parts)
    return compute(parts)
