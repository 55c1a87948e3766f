"""Attacks `charrnn serve`: clients that leave, broken requests, signals, a port in use, a replaced model.

    python tests/benchmarks/serve_faults.py --requests 1000

A third of the requests is good, a third leaves early, a third is broken. No good stream may change by a byte, every
broken request must get an error of OpenAI's shape, and nothing may hang. Exits with 1 at the first failure.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from serve import CHARRNN, answers, server

HOLD = 60.0  # seconds after which a request counts as hanging
GOOD = [
    {"prompt": "Far", "max_tokens": 300, "stream": True},
    {"prompt": "Happy families", "max_tokens": 200, "temperature": 1.2, "top_n": 20, "stream": True},
    {"prompt": ["One", "Two"], "max_tokens": 100, "n": 3},
    {"prompt": "He said", "max_tokens": 200, "stop": ["\n"], "echo": True, "stream": True},
    {"prompt": "", "max_tokens": 50, "logprobs": 3, "repetition_penalty": 1.2},
]
BROKEN: list[bytes] = [
    b"",
    b"{",
    b"null",
    b"[1, 2]",
    b'{"prompt": "Far", "max_tokens": "many"}',
    b'{"prompt": {"a": 1}}',
    b'{"prompt": [["Far"]]}',
    b'{"prompt": [0.5]}',
    b'{"prompt": [999999]}',
    b'{"prompt": [-1]}',
    b'{"prompt": "Far", "temperature": -1}',
    b'{"prompt": "Far", "temperature": 1e999}',
    b'{"prompt": "Far", "top_p": 0}',
    b'{"prompt": "Far", "n": 100000}',
    b'{"prompt": "Far", "n": 0}',
    b'{"prompt": "Far", "max_tokens": -5}',
    b'{"prompt": "Far", "max_tokens": 99999999999999999999}',
    b'{"prompt": "Far", "suffix": "end"}',
    b'{"prompt": "Far", "presence_penalty": 1}',
    b'{"prompt": "Far", "unheard_of": 1}',
    b'{"prompt": "Far", "logit_bias": {"x": 1}}',
    b'{"prompt": "Far", "logit_bias": {"1": 1e400}}',
    b'{"prompt": "Far", "stop": [""]}',
    b'{"prompt": "Far", "ban": "abcdefghijklmnopqrstuvwxyz", "allow_only": "a"}',
    b'{"prompt": "Far", "model": "../../etc/passwd"}',
    b'{"prompt": "Far", "seed": -1}',
    '{"prompt": "Привет \\u0000 ☕"}'.encode(),
    b'{"prompt": "\xff\xfe"}',
    b'{"prompt": "\\ud800"}',
    b"\x00\x01\x02" * 1000,
    b'{"prompt": ' + b"[" * 10_000,
]


def fail(message: str) -> NoReturn:
    raise SystemExit(f"FAILED: {message}")


def head(size: int) -> bytes:
    lines = ["POST /v1/completions HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {size}", "", ""]
    return "\r\n".join(lines).encode()


async def exchange(port: int, data: bytes, read: int = -1) -> bytes:
    """Sends bytes and reads the answer, or only its first `read` bytes; then leaves."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(read), HOLD)
    except asyncio.TimeoutError:
        fail(f"no answer within {HOLD:.0f} s to {data[:300]!r}")
    except ConnectionError:
        return b""
    finally:
        writer.close()


def content(answer: bytes) -> list[Any]:
    """The text of each choice of an answer, streamed or not, and its end."""
    top, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in top.splitlines()[0]:
        fail(f"a good request got {answer[:300]!r}")
    if b"chunked" in top.lower():
        body = unchunked(body)
    if not body.startswith(b"data:"):
        return [[choice["text"], choice["finish_reason"], choice["logprobs"]] for choice in json.loads(body)["choices"]]
    texts: dict[int, list[Any]] = {}
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            choice = json.loads(line[6:])["choices"][0]
            known = texts.setdefault(choice["index"], ["", None])
            known[0] += choice["text"]
            known[1] = choice["finish_reason"] or known[1]
    if not body.rstrip().endswith(b"[DONE]"):
        fail("a stream ended without [DONE]")
    return [texts[index] for index in sorted(texts)]


def unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        parts.append(body[:count])
        body = body[count + 2 :]
    return b"".join(parts)


def good_body(number: int) -> bytes:
    return json.dumps({"model": "anna", "seed": number % 50, **GOOD[number % len(GOOD)]}).encode()


async def good(port: int, number: int, right: dict[int, list[Any]]) -> None:
    body = good_body(number)
    found = content(await exchange(port, head(len(body)) + body))
    key = number % (50 * len(GOOD))
    if found != right.setdefault(key, found):
        fail(f"a text changed: {found} instead of {right[key]}")


async def leave(port: int, rng: random.Random) -> None:
    """Leaves while sending, before the answer, or after some of it."""
    kind = rng.choice(["sending", "waiting", "reading"])
    asked = {"prompt": "Far", "max_tokens": 50_000, "n": rng.randint(1, 4)}
    body = json.dumps(asked | {"stream": kind == "reading" or rng.random() < 0.5}).encode()
    data = head(len(body)) + body
    if kind == "sending":
        await exchange(port, data[: rng.randrange(1, len(data))], 0)
    else:
        await exchange(port, data, 0 if kind == "waiting" else rng.choice([1, 100, 2000]))


async def broken(port: int, rng: random.Random) -> None:
    body = rng.choice([*BROKEN, b" " * 40_000_000])
    answer = await exchange(port, head(len(body)) + body)
    if not answer and len(body) > 10_000_000:
        return  # the connection was closed while the body was being sent
    top, _, rest = answer.partition(b"\r\n\r\n")
    status = int(top.split()[1]) if top else 0
    if status not in (400, 404, 413, 422):
        fail(f"{body[:100]!r} got {answer[:300]!r}")
    error = json.loads(unchunked(rest) if b"chunked" in top.lower() else rest)["error"]
    if set(error) < {"message", "type", "param", "code"} or "Traceback" in error["message"]:
        fail(f"{body[:100]!r} got {error}")


async def attack(port: int, requests: int, seed: int) -> None:
    """All kinds of requests at once, at most 100 at a time."""
    rng, right = random.Random(seed), {}
    for number in range(50 * len(GOOD)) if requests >= 500 else range(len(GOOD)):
        await good(port, number, right)  # alone
    places = asyncio.Semaphore(100)

    async def one(number: int) -> None:
        async with places:
            if number % 3 == 0:
                await good(port, number // 3, right)
            elif number % 3 == 1:
                await leave(port, rng)
            else:
                await broken(port, rng)

    await asyncio.gather(*(one(number) for number in range(requests)))
    await asyncio.sleep(0.2)
    for number in range(len(GOOD)):
        await good(port, number, right)
    started = time.monotonic()
    while streams := (await health(port))["streams"]:
        if time.monotonic() > started + 5:
            fail(f"{streams} places in the batch were not freed")
        await asyncio.sleep(0.05)


async def health(port: int) -> Any:
    answer = await exchange(port, b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
    return json.loads(answer.partition(b"\r\n\r\n")[2])


async def signal_under_load(port: int, process: "subprocess.Popen[bytes]", number: int) -> None:
    """A signal ends all streams with their last event."""
    body = json.dumps({"prompt": "Far", "max_tokens": 90_000, "stream": True}).encode()
    streams = [asyncio.create_task(exchange(port, head(len(body)) + body)) for _ in range(50)]
    await asyncio.sleep(1)
    process.send_signal(number)
    for stream in streams:
        answer = unchunked((await stream).partition(b"\r\n\r\n")[2])
        if not answer.rstrip().endswith(b"data: [DONE]"):
            fail(f"a stream ended with {answer[-200:]!r}")


def signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with server(*CHARRNN) as (process, port, _):
            asyncio.run(signal_under_load(port, process, number))
            if code := process.wait(HOLD):
                fail(f"{signal.Signals(number).name} ended the server with {code}")


def port_in_use() -> None:
    with server(*CHARRNN) as (_, port, _):
        second = subprocess.run([*CHARRNN, "--port", str(port)], capture_output=True, text=True, check=False)
        if second.returncode != 1 or "Traceback" in second.stderr or str(port) not in second.stderr:
            fail(f"a port in use: {second.returncode}, {second.stderr}")


def replaced_model() -> None:
    """The server keeps the model that it has loaded."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "mine"
        subprocess.run(
            [sys.executable, "-m", "charrnn_cli", "export", "anna", str(model)], check=True, capture_output=True
        )
        command = (sys.executable, "-m", "charrnn_cli", "serve", str(model))
        with server(*command) as (_, port, _):
            body = json.dumps({"prompt": "Far", "max_tokens": 200, "seed": 1}).encode()
            before = content(asyncio.run(exchange(port, head(len(body)) + body)))
            for file in model.iterdir():
                file.write_bytes(b"replaced")
            shutil.rmtree(model)
            if content(asyncio.run(exchange(port, head(len(body)) + body))) != before:
                fail("a text changed after the files of the model did")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.monotonic()
    with server(*CHARRNN) as (process, port, _):
        asyncio.run(attack(port, options.requests, options.seed))
        if process.poll() is not None or not answers(port, "/health"):
            fail("the server has ended")
    print(f"{options.requests:,} requests, a third of each kind: 0 failures", flush=True)
    signals()
    print("SIGTERM and SIGINT under load: streams ended with [DONE], exit code 0", flush=True)
    port_in_use()
    print("a port in use: a clear error", flush=True)
    replaced_model()
    print(f"a model replaced while it is served: no change ({time.monotonic() - started:.0f} s in all)", flush=True)


if __name__ == "__main__":
    main()
