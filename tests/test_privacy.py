"""No command opens a socket or writes outside of its folder, and a server connects to nothing."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from support import TEXT

SOCKET_CALLS = {"x86_64": 41, "aarch64": 198}  # number of the system call socket()
CONNECT_CALLS = {"x86_64": 42, "aarch64": 203}  # of connect()

# Runs commands in a process that the kernel kills at the first call of a kind, by a seccomp filter: load the number of
# the system call; if it is that one, kill the process; else allow it. Python's own hooks do not see native libraries.
WITHOUT_CALLS = """
import ctypes, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    sys.exit(77)
commands = sys.argv[2:]
if commands == ["socket"]:
    import socket
    socket.socket()
from charrnn_cli.cli import main
for command in commands:
    sys.argv = ["charrnn", *command.split()]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    sys.stdout.flush()
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in SOCKET_CALLS, reason="seccomp filters are a part of Linux"
)


def run(folder: Path, *commands: str) -> subprocess.CompletedProcess[bytes]:
    """Runs commands without sockets, with a home, caches and temporary folder of their own in `folder`/home."""
    number = str(SOCKET_CALLS[platform.machine()])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CALLS, number, *commands], env=environment(folder), capture_output=True
    )
    if done.returncode == 77:
        pytest.skip("this system does not allow seccomp filters")
    return done


def environment(folder: Path) -> dict[str, str]:
    """A home, caches and a temporary folder in `folder`/home."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    return {**keep, "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def test_a_process_that_opens_a_socket_is_killed(folder):
    assert run(folder, "socket").returncode == -31  # SIGSYS


@pytest.mark.parametrize("engine", ["onnx", "numpy", "torch"])
def test_writing_opens_no_socket_and_writes_nothing_at_home(folder, engine):
    done = run(folder, f"sample --model anna --length 20 --engine {engine}")
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert list((folder / "home").rglob("*")) == []


def test_preparing_training_and_measuring_open_no_socket_and_write_nothing_at_home(folder):
    (folder / "fox.txt").write_text(TEXT)
    small = "--cpu --hidden 16 --embedding 8 --batch-size 4 --seq-length 16 --steps 3"
    commands = ["prepare fox.txt", f"train {small}", "evaluate", "plot", "info --verify"]
    done = run(folder, *commands, "prepare fox.txt --level subword --name subwords")
    assert done.returncode == 0, done.stderr
    assert list((folder / "home").rglob("*")) == []


def test_serving_connects_to_nothing_and_writes_nothing_at_home(folder):
    number = str(CONNECT_CALLS[platform.machine()])
    command = [sys.executable, "-c", WITHOUT_CALLS, number, "serve anna --port 0"]
    with subprocess.Popen(command, env=environment(folder), stderr=subprocess.PIPE, text=True) as process:
        address = None
        for line in process.stderr:
            if found := re.search(r"Serving at (\S+)\. ", line):
                address = found[1]
                break
        if address is None:
            assert process.wait(60) == 77
            pytest.skip("this system does not allow seccomp filters")
        with urlopen(f"{address}/v1/completions", b'{"prompt": "Far", "max_tokens": 20}', timeout=60) as response:
            assert len(json.load(response)["choices"][0]["text"]) == 20
        process.terminate()
        assert process.wait(60) == 0, process.stderr.read()
    assert list((folder / "home").rglob("*")) == []
