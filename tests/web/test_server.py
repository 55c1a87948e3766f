import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from fake_engine import FakeBatcher, run, served, until

from charrnn_cli.config import ServeSettings
from charrnn_cli.errors import CharrnnError, UsageError
from charrnn_cli.generation.requests import Written
from charrnn_cli.web import server as serving
from charrnn_cli.web.server import (
    access_of,
    address_of,
    allow_many_connections,
    listen,
    new_server,
    open_models,
)

FREE = ServeSettings(port=0)
HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"


@contextmanager
def running(silent=False, report=lambda load: None):
    """A server on a socket, in a thread; its batcher and its address."""
    batchers = []

    def make(models, deliver, cache):
        batchers.append(FakeBatcher(deliver, silent))
        return batchers[0]

    with listen(FREE, None) as sock:
        server = new_server([served()], FREE, None, sock, lambda: report, make)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        address = sock.getsockname()
        thread.start()
        try:
            yield batchers[0], address
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


async def post(address, record):
    """A connection that has sent a request."""
    body = json.dumps(record).encode()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(HEAD % (len(body), body))
    return reader, writer


def test_requests_are_answered_over_a_socket_and_the_load_is_reported():
    loads = []
    with running(report=loads.append) as (_, (host, port)):
        with urlopen(f"http://{host}:{port}/v1/models") as response:
            assert json.load(response)["data"][0]["id"] == "tiny"
            assert "server" not in response.headers
        run(until(lambda: loads))
    assert loads[0].characters == 0


def test_a_server_with_an_engine_that_cannot_be_loaded_ends_with_its_error():
    class Failing(FakeBatcher):
        def start(self):
            self.loaded.set_exception(UsageError("no engine"))

    with listen(FREE, None) as sock:
        server = new_server([served()], FREE, None, sock, pytest.fail, lambda models, deliver, cache: Failing(deliver))
        with pytest.raises(UsageError, match="no engine"):
            server.run(sockets=[sock])


def test_a_client_that_closes_its_connection_frees_its_place():
    async def work(batcher, address):
        _, writer = await post(address, {"stream": True})
        await until(lambda: batcher.submitted)
        writer.transport.abort()
        await until(lambda: batcher.cancelled)
        assert batcher.cancelled == batcher.submitted

    with running(silent=True) as (batcher, address):
        run(work(batcher, address))


def test_a_client_that_does_not_read_is_dropped(monkeypatch):
    monkeypatch.setattr(serving, "SLOW_SECONDS", 0.05)

    async def work(batcher, address):
        _, writer = await post(address, {"stream": True})
        await until(lambda: batcher.submitted)
        (request,) = batcher.submitted
        while not batcher.cancelled:
            batcher.deliver([(request, Written("a" * 100_000, ()))])
            await asyncio.sleep(0.005)
        writer.transport.abort()

    with running(silent=True) as (batcher, address):
        run(work(batcher, address))


@pytest.mark.parametrize("first", [b"", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_client_that_does_not_finish_the_head_of_a_request_is_dropped(monkeypatch, first):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.05)

    async def work(address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(first)
        if first:
            assert b"200" in await reader.readuntil(b"}")
        writer.write(b"POST /v1/completions HTTP/1.1\r\n")
        assert await reader.read() == b""
        writer.close()

    with running() as (_, address):
        run(work(address))


def test_when_the_server_ends_a_stream_gets_its_last_event():
    received = []

    def read(address):
        async def reading():
            reader, writer = await post(address, {"stream": True})
            received.append(await reader.read())
            writer.close()

        run(reading())

    with running(silent=True) as (batcher, address):
        thread = threading.Thread(target=read, args=[address])
        thread.start()
        run(until(lambda: batcher.submitted))
    thread.join(60)
    assert b'"finish_reason":"cancelled"' in received[0]
    assert b"data: [DONE]" in received[0]


def test_a_port_in_use_is_a_clear_error():
    with listen(FREE, None) as sock, pytest.raises(CharrnnError, match="cannot listen on") as raised:
        listen(ServeSettings(port=sock.getsockname()[1]), None)
    assert raised.value.exit_code == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_needs_a_key(host):
    for key in (None, ""):
        with pytest.raises(UsageError, match="needs a key"):
            listen(ServeSettings(host=host, port=0), key)


def test_what_is_not_an_address_is_a_clear_error():
    with pytest.raises(UsageError, match="is not an address"):
        listen(ServeSettings(host="256.0.0.1"), None)


def test_a_server_answers_to_the_names_of_its_address():
    with listen(FREE, None) as sock:
        assert access_of(FREE, None, sock).hosts == {"localhost", "127.0.0.1", "::1"}
        assert address_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
        assert access_of(ServeSettings(cors=("*",)), "", sock).key is None
    everywhere = ServeSettings(host="0.0.0.0", port=0)
    with listen(everywhere, "key") as sock:
        assert access_of(everywhere, "key", sock).hosts is None
        assert access_of(everywhere, "key", sock).key == "key"


def test_models_have_different_names():
    assert [one.name for one in open_models(["anna"])] == ["anna"]
    with pytest.raises(UsageError, match="two models"):
        open_models(["anna", "anna"])


def test_the_limit_of_open_files_rises():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        allow_many_connections()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_socket_of_a_version_6_address_has_brackets_in_its_url():
    if not socket.has_ipv6:
        pytest.skip("this system has no IPv6")
    try:
        sock = listen(ServeSettings(host="::1", port=0), None)
    except CharrnnError:
        pytest.skip("this system has no IPv6")
    with sock:
        assert address_of(sock).startswith("http://[::1]:")
