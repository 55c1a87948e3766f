"""A model without a network and a batcher without a thread, for tests of the server; and a client without a socket."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple

from charrnn_cli.config import ServeSettings
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.prompts import PromptEncoder
from charrnn_cli.generation.requests import Ended, Read, ScoredToken, TextRequest, Written
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.web.app import create_app
from charrnn_cli.web.jobs import ServedModel
from charrnn_cli.web.relay import Relay
from charrnn_cli.web.safety import LOCAL_NAMES, Access

LETTERS = "abc \n"


class TinyModel:
    """What the server needs of a model."""

    vocabulary = Vocabulary("char", tuple(LETTERS))
    writes_lines = False
    description = "tiny: a model for tests"
    encode, check = Model.encode, Model.check


def served(name: str = "tiny", model: Any = None) -> ServedModel:
    model = model or TinyModel()
    return ServedModel(name, model, PromptEncoder(model.vocabulary))


class FakeBatcher:
    """Writes a, b, c, a, b ... at once, or what a test sends."""

    alive, streams, waiting, written = True, 0, 0, 0
    cached_states = cached_bytes = 0

    def __init__(self, deliver: Callable[[Any], None], silent: bool = False) -> None:
        self.deliver, self.silent = deliver, silent
        self.loaded: Future[None] = Future()
        self.submitted: list[TextRequest] = []
        self.cancelled: list[TextRequest] = []

    def start(self) -> None:
        self.loaded.set_result(None)

    def close(self) -> None:
        self.deliver([(request, Ended("cancelled", 0)) for request in self.submitted])

    def submit(self, model: str, requests: Any) -> None:
        self.submitted += requests
        for request in () if self.silent else requests:
            self.deliver([(request, event) for event in answer(request)])

    def cancel(self, requests: Any) -> None:
        self.cancelled += requests


def answer(request: TextRequest) -> list[Any]:
    """The events of a text. Its tokens have the log-probability -1 and minus the number of the text."""
    prompt = request.prompt.ids[: request.prompt.length].tolist()
    before = [
        ScoredToken(id, float("nan") if k == 0 else -2.0, ((0, -0.5),) * request.alternatives)
        for k, id in enumerate(prompt)
    ]
    text = "".join(LETTERS[:3][(k + request.number) % 3] for k in range(request.settings.length))
    tokens = [ScoredToken(LETTERS.index(c), -1.0 - request.number, ((0, -0.5),) * request.alternatives) for c in text]
    return [
        Read(
            "".join(LETTERS[id] for id in prompt) if request.echo else "",
            tuple(before) if request.prompt_scored else (),
            0,
        ),
        Written(text, tuple(tokens) if request.scored else ()),
        Ended("length", len(text)),
    ]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of server-sent events; the last one is checked to be [DONE]."""
        *events, done, end = self.body.decode().split("\n\n")
        assert (done, end) == ("data: [DONE]", "")
        return [json.loads(event.removeprefix("data: ")) for event in events]


class Client:
    """Calls an ASGI application. The client leaves when `leave` is set."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.sent: list[bytes] = []
        self.leave = asyncio.Event()

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        content = [b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()]
        start: dict[str, Any] = {}

        async def receive() -> dict[str, Any]:
            if content:
                return {"type": "http.request", "body": content.pop(), "more_body": False}
            await self.leave.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                self.sent.append(message.get("body", b""))

        path, _, query = path.partition("?")
        named = {"host": "localhost:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "http_version": "1.1"}
        scope |= {"headers": [(name.encode(), value.encode()) for name, value in named.items()], "scheme": "http"}
        await self.app(scope, receive, send)
        received = {name.decode(): value.decode() for name, value in start.get("headers", [])}
        return Answer(start.get("status", 0), received, b"".join(self.sent))


class Site(NamedTuple):
    """A server without sockets."""

    batcher: FakeBatcher
    relay: Relay
    app: Any


def site(
    models: list[ServedModel] | None = None, silent: bool = False, access: Access | None = None, **settings: Any
) -> Site:
    """A started server without sockets. Call it inside of an event loop."""
    batchers: list[FakeBatcher] = []

    def make(deliver: Any) -> Any:
        batchers.append(FakeBatcher(deliver, silent))
        return batchers[0]

    limits = ServeSettings(**settings)
    relay = Relay(make, limits.max_streams)
    relay.start()
    app = create_app(models or [served()], relay, limits, access or Access(LOCAL_NAMES), "http://localhost:8000")
    return Site(batchers[0], relay, app)


def ask(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any) -> Answer:
    """The answer to one request."""

    async def asking() -> Answer:
        return await Client(site(**options).app)(method, path, body, **headers or {})

    return run(asking())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(work, 30)

    return asyncio.run(bounded())


async def until(condition: Callable[[], Any]) -> None:
    """Waits until something is true."""
    while not condition():
        await asyncio.sleep(0.001)
