"""Damages every file that charrnn reads, in many ways, and runs each command on it.

Files are cut, emptied, swapped or filled with noise, bits flip, JSON values change in type, size and sign, keys
disappear, and safetensors headers lie. Named pipes, folders and links stand in place of files, and beside an exported
model. Settings take values at the edges, an archive has many texts, and `sample --json` writes to a terminal. A command
must work, or end with a message and exit code 1 (2 for usage errors). A traceback, a hang, a gigabyte of memory, a
changed file outside of the run's folder or a control character on a terminal is a failure. Prints every failure with
the number of its case, and exits with 1 if there was one.

    python tests/benchmarks/fuzz.py --cases 10000
    python tests/benchmarks/fuzz.py --case 4711          # repeat one case and show its output
"""

import argparse
import collections
import gzip
import json
import os
import pty
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from pathlib import Path
from typing import Any

import torch

import charrnn_cli.generation.scoring
import charrnn_cli.generation.texts
import charrnn_cli.training.loop  # noqa: F401  # imported before any process is forked
from charrnn_cli.cli import main
from charrnn_cli.text.formats import zstd

TEXT = "The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs!\n" * 30
SMALL = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16", "--no-preview"]
CORPUS = ("corpus.json", "train.bin", "valid.bin", "test.bin")
COMMANDS = {
    "sample": ["sample", "--model", "fox", "--length", "5", "--engine", "numpy"],
    "sample checkpoint": ["sample", "--model", "fox", "--length", "5", "--checkpoint", "20", "--engine", "onnx"],
    "sample copies": ["sample", "--model", "fox", "--length", "60", "--check-copies", "--engine", "numpy"],
    "evaluate": ["evaluate", "--model", "fox", "--cpu"],
    "info": ["info", "fox"],
    "verify": ["info", "fox", "--verify"],
    "models": ["models"],
    "plot": ["plot", "fox"],
    "compare": ["compare", "fox", "whole"],
    "export": ["export", "fox", "exported"],
    "export again": ["export", "fox", "again", "--force"],
    "plot perplexity": ["plot", "fox", "--unit", "perplexity", "--over", "tokens"],
    "train edges": ["train", "fox", "--restart", "--steps", "3", *SMALL],
    "sample terminal": ["sample", "--model", "fox", "--length", "60", "--json", "--top-p", "1", "--temperature", "9"],
    "prepare many": ["prepare", "many.zip", "--name", "other"],
    "train": ["train", "fox", "--steps", "30", "--cpu", "--no-preview"],
    "prepare": ["prepare", "fox.txt", "--name", "other"],
    "prepare words": ["prepare", "fox.txt", "--name", "other", "--level", "word"],
    "prepare packed": ["prepare", "fox.gz", "fox.zst", "fox.zip", "--name", "other"],
    "prepare records": ["prepare", "fox.jsonl", "--name", "other", "--documents", "record"],
    "append": ["prepare", "fox.txt", "--append", "fox"],
}
READS = {  # the files that a command may read
    "prepare": ("fox.txt",),
    "prepare words": ("fox.txt",),
    "prepare packed": ("fox.gz", "fox.zst", "fox.zip"),
    "prepare records": ("fox.jsonl",),
    "prepare many": ("many.zip",),
    "append": ("fox.txt", "runs/fox/vocabulary.json", *(f"runs/fox/corpus/{name}" for name in CORPUS)),
}
EDGES = ("forget-bias", "init-scale", "clip", "clip-value", "learning-rate", "minutes", "dropout", "hidden", "seed")
EDGE_VALUES = ("1e308", "-1e308", "1e39", "1e-320", "0", "-1", "nan", "inf", "9" * 400, str(2**63), "")
SECONDS, MEMORY = 30, 1 << 30
ODD: list[Any] = [None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), "", "\0", "../../x"]
ODD += [10**400, 1e999, "\x9b\u202e", "x" * 1000, "\x1b[31m", "\ud800", [], {}, [[]], {"a": 1}, [1, 2], ["a", "a"]]


def start(arguments: list[str], said: Path) -> int:
    """Forks a process that runs a command. Returns its process id; exit code 99 means a traceback."""
    if process := os.fork():
        return process
    code = 99
    try:
        out, nothing = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        if "--json" in arguments:
            os.dup2(terminal_copied_to(said.with_name("shown.txt")), 1)
        else:
            os.dup2(nothing if arguments[0] == "sample" else out, 1)  # generated text is not checked
        os.dup2(out, 2)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        sys.argv = ["charrnn", *arguments]
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def terminal_copied_to(path: Path) -> int:
    """A descriptor of a terminal. A thread copies what is shown there to a file."""
    shown, terminal = pty.openpty()

    def copy() -> None:
        with path.open("wb", buffering=0) as file:
            while data := os.read(shown, 4096):
                file.write(data)

    threading.Thread(target=copy, daemon=True).start()
    return terminal


def put_beside_a_model(chance: random.Random) -> str:
    """Makes a folder of an exported model with something odd in it. Returns what."""
    again = Path("again")
    again.mkdir()
    odd = chance.choice(["pipe", "self", "nowhere", "folder", "locked", "leftover", "replaced"])
    if odd == "pipe":
        os.mkfifo(again / "pipe")
    elif odd in ("self", "nowhere", "folder"):
        (again / odd).symlink_to({"self": ".", "nowhere": "nothing", "folder": "../runs"}[odd])
    elif odd == "locked":
        (again / ".x.00c0ffee.lock").mkdir()
    elif odd == "leftover":
        Path(".again.00c0ffee.tmp").mkdir()
    else:
        again.rename(".again.4711.replaced")
    return odd


def write_texts() -> None:
    """Writes the texts to prepare, in every format."""
    Path("fox.txt").write_text(TEXT)
    Path("fox.gz").write_bytes(gzip.compress(TEXT.encode()))
    Path("fox.zst").write_bytes(zstd.compress(TEXT.encode()))
    with zipfile.ZipFile("fox.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.txt", TEXT)
        archive.writestr("two.txt", TEXT)
    with zipfile.ZipFile("many.zip", "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}.txt", TEXT[:200])
    Path("fox.jsonl").write_text("".join(json.dumps({"id": 1, "text": line}) + "\n" for line in TEXT.splitlines()))


def run(arguments: list[str], said: Path) -> int | None:
    """The exit code of a command; None if it takes too long."""
    process, ends = start(arguments, said), time.monotonic() + SECONDS
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > ends:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return None
        time.sleep(0.001)


def damage(path: Path, chance: random.Random, others: list[Path]) -> str:
    """Damages a file. Returns how."""
    data = path.read_bytes()
    ways = [cut, empty, flip, noise, swap, repeat, vanish, folder, link]
    if "runs" in path.parts:  # a pipe that is named as a text may wait for its writer
        ways += [pipe] * 2
    if path.suffix == ".json":
        ways += [change_json] * 8
    if path.suffix == ".jsonl":
        ways += [change_line] * 4
    if path.suffix == ".safetensors":
        ways += [change_header] * 6
    way = chance.choice(ways)
    if way in (vanish, folder, link, pipe):
        path.unlink()
        if way is pipe:
            os.mkfifo(path)
        if way is folder:
            path.mkdir()
        elif way is link:
            path.symlink_to(chance.choice(["/dev/zero", "/etc/passwd", "nowhere", path.name]))
    elif way is swap:
        path.write_bytes(chance.choice(others).read_bytes())
    else:
        path.write_bytes(way(data, chance))
    return way.__name__


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def empty(data: bytes, chance: random.Random) -> bytes:
    return b""


def flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 8, 100))):
        if changed:
            changed[chance.randrange(min(len(changed), chance.choice((64, 4096, 1 << 30))))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def noise(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(data))


def repeat(data: bytes, chance: random.Random) -> bytes:
    return data * 2


def swap() -> None: ...


def vanish() -> None: ...


def folder() -> None: ...


def link() -> None: ...


def pipe() -> None: ...


def change_json(data: bytes, chance: random.Random) -> bytes:
    try:
        record = json.loads(data)
    except ValueError:
        return data
    return json.dumps(changed(record, chance)).encode("utf-8", "surrogatepass")


def change_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines()
    at = chance.randrange(len(lines))
    lines[at] = change_json(lines[at], chance)
    return b"\n".join(lines) + b"\n"


def change_header(data: bytes, chance: random.Random) -> bytes:
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(changed(json.loads(data[8 : 8 + size]), chance)).encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        size_field = chance.choice((0, 1, len(data), 1 << 40, (1 << 64) - 1)).to_bytes(8, "little")
    else:
        size_field = len(header).to_bytes(8, "little")
    return size_field + header + data[8 + size :]


def changed(value: Any, chance: random.Random) -> Any:
    """The value with one odd change."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        if chance.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if chance.random() < 0.1:
            return {**value, chance.choice(["odd", "__class__", key.upper()]): chance.choice(ODD)}
        return {**value, key: changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], changed(value[at], chance), *value[at + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and chance.random() < 0.5:
        return chance.choice([-value, value + 1, value * 1000, value / 3, value - 1])
    return chance.choice(ODD)


def case(number: int, loud: bool) -> tuple[str, str] | None:
    """Runs one case. Returns what failed, or None."""
    chance = random.Random(number)
    shutil.rmtree("work", ignore_errors=True)
    shutil.copytree("pristine", "work")
    os.chdir("work")
    try:
        name = chance.choice(list(COMMANDS))
        files = sorted(path for path in Path().rglob("*") if path.is_file())
        wanted = READS.get(name)
        victims = [p for p in files if (str(p) in wanted if wanted else "runs/fox" in str(p))]
        victim = chance.choice(victims)
        how = damage(victim, chance, files)
        what, arguments = f"{name}: {victim} {how}", list(COMMANDS[name])
        if name == "train edges":
            arguments.append(f"--{chance.choice(EDGES)}={chance.choice(EDGE_VALUES)}")
            what += f" {arguments[-1][:40]}"
        if name == "export again":
            what += f" beside {put_beside_a_model(chance)}"
        Path("../shown.txt").unlink(missing_ok=True)
        outside = {path: path.read_bytes() for path in Path("runs/whole").rglob("*") if path.is_file()}
        code = run(arguments, Path("../said.txt"))
        said = Path("../said.txt").read_bytes().decode("utf-8", "replace")
        if loud:
            print(what, code, said, sep="\n")
        if code is None:
            return what, "hangs"
        if code not in (0, 1, 2) or "Traceback" in said:
            return what, said.strip().splitlines()[-1][:300] if said.strip() else f"exit code {code}"
        shown = Path("../shown.txt").read_bytes().decode("utf-8", "replace") if Path("../shown.txt").exists() else ""
        if not (said + shown).replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
            return what, "a control character is printed"
        if {path: path.read_bytes() for path in Path("runs/whole").rglob("*") if path.is_file()} != outside:
            return what, "another run is changed"
        return None
    finally:
        os.chdir("..")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--case", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    failures: dict[str, list[str]] = collections.defaultdict(list)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        os.chdir(place)
        Path("pristine").mkdir()
        os.chdir("pristine")
        write_texts()
        for model in ("whole", "fox"):
            run(["prepare", "fox.txt", "--name", model], Path("../said.txt"))
            if run(["train", model, "--steps", "20", *SMALL], Path("../said.txt")) != 0:
                sys.exit(Path("../said.txt").read_text())
        os.chdir("..")
        if args.case is not None:
            case(args.case, loud=True)
            sys.exit()
        for number in range(args.first, args.first + args.cases):
            if failed := case(number, loud=False):
                failures[failed[1]].append(f"{number} {failed[0]}")
                print(f"case {number}, {failed[0]}: {failed[1]}", flush=True)
            if (number + 1) % 1000 == 0:
                print(f"{number + 1 - args.first} cases, {sum(map(len, failures.values()))} failures", flush=True)
    for message, cases in sorted(failures.items(), key=lambda item: -len(item[1])):
        print(f"{len(cases)} times: {message}\n   first: {cases[0]}")
    print(f"{args.cases} cases, {sum(map(len, failures.values()))} failures")
    sys.exit(1 if failures else 0)
