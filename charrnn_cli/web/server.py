"""Runs the HTTP interface: a socket, uvicorn, and a graceful end."""

import asyncio
import ipaddress
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from charrnn_cli.config import EngineName, ServeSettings
from charrnn_cli.errors import CharrnnError, UsageError
from charrnn_cli.generation.batching import Batcher
from charrnn_cli.generation.model import load
from charrnn_cli.generation.prompts import PromptEncoder
from charrnn_cli.web.app import create_app
from charrnn_cli.web.jobs import ServedModel
from charrnn_cli.web.relay import Relay
from charrnn_cli.web.safety import LOCAL_NAMES, Access

SLOW_SECONDS = 30.0  # after which a client that does not read is dropped
HEAD_SECONDS = 20.0  # for a client to send the head of a request
END_SECONDS = 5  # for clients to read the end of their streams when the server stops
TICKS_PER_REPORT = 5  # uvicorn has 10 ticks a second
SWITCH_SECONDS = 0.0005  # how long a Python thread may run while others wait: short, for the event loop
END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Load(NamedTuple):
    """What the server is doing at the moment."""

    streams: int  # texts whose prompts are being read, or that are being written
    waiting: int  # texts that wait for a place
    characters_per_second: float
    characters: int  # since the start


class ImpatientProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen when uvicorn is imported
    """uvicorn's protocol of one connection, which also drops slow clients.

    They do not send the head of a request, or do not read what they are sent.
    """

    _head_deadline: asyncio.TimerHandle | None = None
    _deadline: asyncio.TimerHandle | None = None  # for reading

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head_deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:  # the head of a request has come
            self._forget_head_deadline()
        elif self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._deadline = self.loop.call_later(SLOW_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._forget_deadline()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._forget_head_deadline()
        super().connection_lost(exc)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_head_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None


ShowLoad = Callable[[Load], None]


class ModelServer(uvicorn.Server):
    """uvicorn's server. The engine thread starts before it, and ends before the connections close.

    It accepts requests while the engines are loading. When all are loaded, it calls `announce` once, and then twice a
    second the function that `announce` returns.
    """

    def __init__(self, config: uvicorn.Config, relay: Relay, announce: Callable[[], ShowLoad]) -> None:
        super().__init__(config)
        self._relay, self._announce = relay, announce
        self._loading: asyncio.Task[ShowLoad]
        self._reported_at, self._reported_characters = time.monotonic(), 0

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Runs until a signal. Raises UsageError or DeviceError if an engine cannot be loaded."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            super().run(sockets)
        finally:
            sys.setswitchinterval(before)
        if not self._loading.cancelled():
            self._loading.result()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._relay.start()
        await super().startup(sockets)
        self._loading = asyncio.create_task(self._load_engines())

    async def on_tick(self, counter: int) -> bool:
        if self._loading.done():
            if self._loading.exception() is not None:
                return True
            if counter % TICKS_PER_REPORT == 0:
                self._loading.result()(self._load())
        return await super().on_tick(counter)

    async def _load_engines(self) -> ShowLoad:
        await self._relay.loaded()
        return await asyncio.to_thread(self._announce)  # so that requests are answered meanwhile

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends all texts, so that streams get their last event, then closes the connections."""
        await self._relay.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stops the server at a signal. uvicorn would raise the signal again, and the exit code would not be 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in END_SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _load(self) -> Load:
        batcher, now = self._relay.batcher, time.monotonic()
        speed = (batcher.written - self._reported_characters) / max(now - self._reported_at, 1e-9)
        self._reported_at, self._reported_characters = now, batcher.written
        return Load(batcher.streams, batcher.waiting, speed, batcher.written)


def open_models(names: Sequence[str], engine: EngineName = "auto", threads: int | None = None) -> list[ServedModel]:
    """The models to serve. Without names: the run trained last, or the bundled model if there is none.

    Raises RunError, UsageError.
    """
    models: dict[str, ServedModel] = {}
    for name in names or (None,):
        model = load(name, engine=engine, threads=threads)
        if model.run.name in models:
            raise UsageError(f"two models are called {model.run.name!r}. Leave one of them out.")
        models[model.run.name] = ServedModel(model.run.name, model, PromptEncoder(model.vocabulary))
    return list(models.values())


def listen(settings: ServeSettings, key: str | None) -> socket.socket:
    """The socket of the server. Raises UsageError for an open address without a key, CharrnnError for a port in use."""
    host, port = settings.host, settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise UsageError(f"`host={host}` is not an address of this machine: {error.strerror or error}.") from error
    if not key and not ipaddress.ip_address(address[0]).is_loopback:
        raise UsageError(
            f"other machines can reach `host={host}`, so the server needs a key. Set CHARRNN_API_KEY or pass "
            "`api_key=KEY`, or leave out `host`."
        )
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise CharrnnError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}. Pass another port, such as "
            f"`port={port + 1 if port < 65535 else 8000}`, or `port=0` for any free one."
        ) from error
    return sock


def access_of(settings: ServeSettings, key: str | None, sock: socket.socket) -> Access:
    """Whom a server on `sock` answers. If it listens on all addresses, its names are not known, and any is allowed."""
    bound = ipaddress.ip_address(sock.getsockname()[0])
    hosts = None if bound.is_unspecified else LOCAL_NAMES | {settings.host.lower(), str(bound)}
    return Access(hosts, frozenset(settings.cors), key or None)


def address_of(sock: socket.socket) -> str:
    """The URL of a server on `sock`."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def new_server(
    models: Sequence[ServedModel],
    settings: ServeSettings,
    key: str | None,
    sock: socket.socket,
    announce: Callable[[], ShowLoad] = lambda: lambda load: None,
    batcher: Any = Batcher,
) -> ModelServer:
    """A server for the models. `announce` is as in `ModelServer`. `batcher` makes the object that writes the texts."""
    by_name = {served.name: served.model for served in models}
    relay = Relay(lambda deliver: batcher(by_name, deliver, int(settings.cache * 1e6)), settings.max_streams)
    app = create_app(models, relay, settings, access_of(settings, key, sock), address_of(sock))
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=END_SECONDS,
    )
    return ModelServer(config, relay, announce)


def allow_many_connections() -> None:
    """Raises the limit of open files, which is often 1,024, as far as the system allows."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
