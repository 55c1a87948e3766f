"""Measures `charrnn serve` with client processes on the same machine, beside a server of the usual kind.

    python tests/benchmarks/serve.py                    # all but the ten minutes of load
    python tests/benchmarks/serve.py --only 256         # only what has this in its name
    python tests/benchmarks/serve.py --only memory --minutes 10

The usual kind of server calls `nn.LSTM` once per character, with a lock around the model (naive_server.py).
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from charrnn_cli.generation.prompts import Prompt
from charrnn_cli.generation.state_cache import StateCache

HERE = Path(__file__).resolve().parent
CLIENTS = 2  # processes, if there are more than 100 streams


class Choice(msgspec.Struct):
    text: str


class Event(msgspec.Struct):
    """What the clients read of an event: they share the cores with the server, so they do as little as they can."""

    choices: list[Choice]


decode = msgspec.json.Decoder(Event).decode


class Stream(asyncio.Protocol):
    """One streamed completion: counts its characters, and notes when the first of them came."""

    def __init__(self, body: bytes, done: "asyncio.Future[None]") -> None:
        self.body, self.done = body, done
        self.started = time.perf_counter()
        self.first = self.ended = float("nan")
        self.characters = 0
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(self.body)}\r\n"
        transport.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + self.body)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                text = decode(line[6:]).choices[0].text
                if text and not self.characters:
                    self.first = time.perf_counter()
                self.characters += len(text)
            elif line.startswith(b"data: [DONE]"):
                self.ended = time.perf_counter()
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def run_streams(port: int, count: int, length: int, first_seed: int) -> list[Stream]:
    loop = asyncio.get_running_loop()
    streams, ends = [], []
    for seed in range(first_seed, first_seed + count):
        body = {"model": "anna", "prompt": "Far", "max_tokens": length, "stream": True, "seed": seed}
        done: asyncio.Future[None] = loop.create_future()
        stream = Stream(json.dumps(body).encode(), done)
        await loop.create_connection(lambda stream=stream: stream, "127.0.0.1", port)  # type: ignore[misc]
        streams.append(stream)
        ends.append(done)
    await asyncio.gather(*ends)
    return streams


def client(port: int, count: int, length: int, first_seed: int) -> None:
    """A client process: prints what it measured as JSON."""
    streams = asyncio.run(run_streams(port, count, length, first_seed))
    records = [
        {"started": one.started, "first": one.first, "ended": one.ended, "characters": one.characters}
        for one in streams
    ]
    print(json.dumps(records))


def load(port: int, count: int, length: int) -> list[dict[str, float]]:
    """The records of all streams, written at the same time to one or several client processes."""
    processes = 1 if count <= 100 else CLIENTS
    shares = [count // processes] * processes
    running = [
        subprocess.Popen(
            [sys.executable, __file__, "--client", str(port), str(share), str(length), str(k * share)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for k, share in enumerate(shares)
    ]
    records: list[dict[str, float]] = []
    for process in running:
        said, _ = process.communicate()
        records += json.loads(said)
    if any(record["characters"] != length for record in records):
        raise SystemExit(f"a stream ended early: {[record['characters'] for record in records]}")
    return records


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def answers(port: int, path: str) -> bool:
    """Whether the server answers with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return b" 200 " in sock.recv(100)
    except OSError:
        return False


@contextmanager
def server(
    *command: str, path: str = "/health", environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
    """A running server, its port, and the seconds from its start until it answered."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--port", str(port)], stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    try:
        while not answers(port, path):
            if process.poll() is not None:
                raise SystemExit(f"the server ended with {process.returncode}")
            time.sleep(0.005)
        yield process, port, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


CHARRNN = (sys.executable, "-m", "charrnn_cli", "serve", "anna", "--max-tokens", "100000", "--max-streams", "2000")
NAIVE = (sys.executable, str(HERE / "naive_server.py"))


def ready() -> None:
    """How soon the server answers, and writes. As in an installed package, its modules are compiled beforehand."""
    answered, written = [], []
    with TemporaryDirectory() as compiled:
        compiling = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
        for _ in range(6):
            started = time.perf_counter()
            with server(*CHARRNN, environment=compiling) as (_, port, seconds):
                answered.append(seconds)
                ask(port, "/v1/completions", {"prompt": "Far", "max_tokens": 1})
                written.append(time.perf_counter() - started)
    middle, longest = statistics.median(answered[1:]), max(answered[1:])
    print(f"ready: {middle:.2f} s after the command was typed, at most {longest:.2f} s", flush=True)
    print(f"the first text, asked for at once: after {statistics.median(written[1:]):.2f} s", flush=True)


def first_chunk() -> None:
    with server(*CHARRNN) as (_, port, _):
        load(port, 1, 100)
        waits = [1000 * (one["first"] - one["started"]) for _ in range(10) for one in load(port, 1, 100)]
    print(f"first chunk from a cached state: median {statistics.median(waits):.1f} ms, longest {max(waits):.1f} ms")


def leave() -> None:
    """How long the place of a client that leaves stays taken."""
    times = []
    with server(*CHARRNN) as (_, port, _):
        body = json.dumps({"prompt": "Far", "max_tokens": 100_000, "stream": True}).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(head.encode() + body)
                sock.recv(1000)
                assert ask(port, "/health")["streams"] == 1
            started = time.perf_counter()
            while ask(port, "/health")["streams"]:
                pass
            times.append(1000 * (time.perf_counter() - started))
    print(
        f"the place of a client that left is free after {statistics.median(times):.1f} ms, at most {max(times):.1f} ms"
    )


def ask(port: int, path: str, record: Any = None) -> Any:
    """The JSON that the server answers."""
    body = b"" if record is None else json.dumps(record).encode()
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(head.encode() + body)
        return json.loads(sock.makefile("rb").read().partition(b"\r\n\r\n")[2])


def edit() -> None:
    """An edit at the end of a prompt of 2 MB, over HTTP."""
    book = "".join(f"It was the {k % 977}th of the letters, and nobody had read it. " for k in range(40_000))[
        :2_000_000
    ]
    with server(*CHARRNN) as (_, port, _):
        waits = []
        for end in ("", " Then", " Then he", " There", " The end", " The en", " The"):
            body = json.dumps({"prompt": book + end, "max_tokens": 1}).encode()
            started = time.perf_counter()
            with socket.create_connection(("127.0.0.1", port)) as sock:
                head = f"POST /v1/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
                sock.sendall(head.encode() + body)
                while sock.recv(65536):
                    pass
            waits.append(1000 * (time.perf_counter() - started))
    first, *later = waits
    print(f"a prompt of 2 MB: {first:.0f} ms; edits at its end: median {statistics.median(later):.1f} ms", flush=True)


def cache() -> None:
    """The memory of 100,000 cached states of `anna`."""
    before, cached, rng = resident(os.getpid()), StateCache(2_000_000_000), np.random.default_rng(0)
    for _ in range(100_000):
        ids = rng.integers(0, 80, size=int(rng.integers(10, 200)), dtype=np.uint16)
        cached.put(b"", Prompt(ids, len(ids)), len(ids) - 1, os.urandom(8192))
    print(f"{len(cached):,} cached states: {resident(os.getpid()) - before:.0f} MB of memory", flush=True)


def resident(process: int) -> float:
    """The resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1000


def streams(count: int, length: int, rounds: int) -> None:
    """Prints the rate of many streams at once."""
    with server(*CHARRNN) as (_, port, _):
        load(port, 8, 100)
        for _ in range(rounds):
            show(f"{count:,} streams", load(port, count, length))


def show(name: str, records: list[dict[str, float]]) -> None:
    seconds = max(one["ended"] for one in records) - min(one["started"] for one in records)
    rates = sorted(one["characters"] / (one["ended"] - one["started"]) for one in records)
    waits = sorted(1000 * (one["first"] - one["started"]) for one in records)
    total = sum(one["characters"] for one in records) / seconds
    print(
        f"{name}: {total:,.0f} characters/s in all; the slowest stream {rates[0]:.1f}, "
        f"median {rates[len(rates) // 2]:.1f}; "
        f"first chunk median {waits[len(waits) // 2]:.0f} ms, 99 % within {waits[int(len(waits) * 0.99)]:.0f} ms",
        flush=True,
    )


def beside_naive(rounds: int) -> None:
    """The ratio to a server of the usual kind, with 16 streams."""
    ratios = []
    for _ in range(rounds):
        rates = []
        for command, path, length in ((CHARRNN, "/health", 2000), (NAIVE, "/health", 40)):
            with server(*command, path=path) as (_, port, _):
                load(port, 1, 20)
                records = load(port, 16, length)
                seconds = max(one["ended"] for one in records) - min(one["started"] for one in records)
                rates.append(sum(one["characters"] for one in records) / seconds)
        ratios.append(rates[0] / rates[1])
        print(f"16 streams: {rates[0]:,.0f} characters/s; the usual kind of server {rates[1]:,.0f}", flush=True)
    print(f"ratio {statistics.median(ratios):.0f}", flush=True)


def memory(minutes: float) -> None:
    """Resident memory under load."""
    with server(*CHARRNN) as (process, port, _):
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            load(port, 256, 2000)
            status = Path(f"/proc/{process.pid}/status").read_text()
            resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
            print(
                f"memory: {int(resident) / 1000:.0f} MB, {(end - time.monotonic()) / 60:.1f} minutes left", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=0, help="minutes of load for the memory")
    parser.add_argument("--client", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        client(*options.client)
        return
    os.chdir(HERE)
    measures: dict[str, Callable[[], None]] = {
        "ready": ready,
        "first chunk": first_chunk,
        "leave": leave,
        "edit": edit,
        "cache": cache,
        "256 streams": lambda: streams(256, 1000, options.rounds),
        "1,000 streams": lambda: streams(1000, 400, options.rounds),
        "beside the usual kind": lambda: beside_naive(options.rounds),
    }
    if options.minutes:
        measures["memory"] = lambda: memory(options.minutes)
    for name, measure in measures.items():
        if options.only in name:
            measure()


if __name__ == "__main__":
    main()
