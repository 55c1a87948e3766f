"""Unexpected texts, names and environments give the right result, or a message and an exit code, never a traceback."""

import ast
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import get_args

import pytest
from support import charrnn, in_turn, join, prepare_text

from charrnn_cli.config import Level, PrepareSettings
from charrnn_cli.files import locked
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import Run
from charrnn_cli.text.corpus import SPLIT_NAMES, Corpus
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training import bookkeeping

ROOT = Path(__file__).parent.parent
UNICODE = {
    "combining marks": "e\u0301a\u0308\u0323 Z\u0351\u0326\u034e ",
    "astral planes": "𝔘𝔫𝔦 👩‍👩‍👧‍👦 🏳️‍🌈 𒀀 \U0010fffd ",
    "right to left": "שלום \u202bمرحبا\u202c \u200f ",
    "separators": "a\u2028b\u2029c\u0085d\u00a0e\u3000f\x0bg\x0ch ",
    "noncharacters": "\ufffe\uffff\ufdd0 \ue000 ",
    "controls": "\x01\x07\x1b[31m\x7f\x9b ",
    "one character": "a a\n",
}


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("kind", UNICODE)
def test_every_kind_of_unicode_can_be_prepared_trained_and_written(folder, kind, level):
    text = UNICODE[kind] * 60
    run = prepare_text(folder, text, PrepareSettings(level=level), name="text")
    vocabulary = Vocabulary.load(run.vocabulary)
    ids = [id for split in SPLIT_NAMES for id in Corpus(run.corpus).split(split).tolist()]
    assert join(vocabulary, vocabulary.decode(ids)) == text
    small = "--hidden 8 --layers 1 --embedding 8 --batch-size 2 --seq-length 4 --steps 3"
    result = charrnn("train", "text", "--cpu", *small.split())
    assert result.exit_code == 0, result.stderr
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", result.stderr)
    result = charrnn("sample", "--model", "text", "--prime", text.split()[0], "--length", "20")
    assert result.exit_code == 0, result.stderr
    assert charrnn("info", "text").exit_code == 0


@pytest.mark.parametrize(
    "prime", ["\ud800", "a\udcff", "\0", "\u2028", "e\u0301", "👩", "x" * 600, "\x1b[2J", " ", "\n"]
)
@pytest.mark.parametrize("unknown", ["error", "skip", "replace"])
def test_any_prime_is_read_or_refused(prime, unknown):
    result = charrnn("sample", "--prime", prime, "--length", "2", "--unknown", unknown, "--engine", "numpy")
    assert result.exit_code in (0, 2)
    assert "Traceback" not in result.stderr
    assert result.exit_code == 0 or "charrnn: " in result.stderr
    assert unknown == "error" or prime == "\x1b[2J" or result.exit_code == 0 or unknown == "replace"


@pytest.mark.parametrize(("text", "message"), [("a", "too short"), ("", "there is no text"), ("\ufeff", "no text")])
def test_texts_that_are_almost_empty_are_refused(folder, text, message):
    (folder / "tiny.txt").write_text(text, "utf-8")
    result = charrnn("prepare", "tiny.txt")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not Path("runs", "tiny").exists()


def test_a_vocabulary_of_a_hundred_thousand_characters(folder):
    codes = [code for code in range(0x20, 0x20000) if not 0xD800 <= code < 0xE000 and code != 0xFEFF][:100_000]
    run = prepare_text(folder, "".join(map(chr, codes)) * 2, PrepareSettings(valid=0, test=0), name="many")
    assert len(Vocabulary.load(run.vocabulary)) == 100_000 - 1 * (chr(0x7F) not in map(chr, codes))
    small = "--hidden 4 --layers 1 --embedding 4 --batch-size 2 --seq-length 4 --steps 2"
    assert charrnn("train", "many", "--cpu", "--no-preview", *small.split()).exit_code == 0
    assert charrnn("sample", "--model", "many", "--length", "5").exit_code == 0


@pytest.mark.parametrize("level", ["char", "word"])
def test_a_line_of_50_megabytes(folder, level):
    with (folder / "line.txt").open("w") as file:
        for _ in range(50):
            file.write("a" * 999_999 + " ")
    result = charrnn("prepare", "line.txt", "--level", level, "--workers", "1")
    assert result.exit_code == 0, result.stderr


NAMES = ["two words", "new\nline", "emoji 👩‍👩‍👧", "'quoted'", "tab\there", "-dash", "a" * 250]


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_is_a_name_for_a_run_or_is_refused(folder, name):
    place = folder / "in the\nway 👍"
    place.mkdir()
    (place / f"{name[:240]}.txt").write_text("some text to learn\n" * 20)
    result = charrnn("prepare", str(place / f"{name[:240]}.txt"))
    assert result.exit_code in (0, 2)
    if result.exit_code == 2:
        assert "--name" in result.stderr
        result = charrnn("prepare", str(place / f"{name[:240]}.txt"), "--name", "named")
    assert result.exit_code == 0, result.stderr
    assert "\n" not in re.findall("Next: charrnn train .*", result.stderr)[0]


def test_without_a_home_or_a_terminal(folder):
    (folder / "text.txt").write_text("some text to learn\n" * 40)
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "TERM", "LANG", "USER")}
    environment["HOME"] = "/nowhere/at/all"
    small = "--cpu --hidden 8 --layers 1 --batch-size 2 --seq-length 4 --steps 3"
    commands = in_turn(["prepare text.txt", f"train {small}", "sample --length 9", "info text", "plot"])
    done = subprocess.run(
        [sys.executable, "-c", commands], env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("columns", [20, 1])
def test_a_narrow_terminal(folder, columns):
    (folder / "text.txt").write_text("some text to learn\n" * 40)
    small = "--cpu --hidden 8 --layers 1 --batch-size 2 --seq-length 4 --steps 40"
    commands = in_turn(["prepare text.txt", f"train {small}", "info text", "models", "plot", "sample --length 30"])
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([sys.executable, "-c", commands], stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 1 << 16):
            shown += data
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0, shown
    assert b"Traceback" not in shown


def test_invalid_ids_end_training_with_a_message(fox):
    for split in ("train", "valid"):
        path = fox.corpus / f"{split}.bin"
        before = path.read_bytes()
        path.write_bytes(before[:-40] + b"\xc8" * 40)
        small = "--cpu --hidden 8 --layers 1 --batch-size 2 --seq-length 64 --epochs 1 --no-preview"
        result = charrnn("train", "fox", *small.split())
        assert result.exit_code == 1
        assert "has the id 200, but the vocabulary" in result.stderr
        path.write_bytes(before)


def test_a_run_that_is_in_use_cannot_be_trained(fox):
    with locked(fox.folder):
        result = charrnn("train", "fox", "--cpu", "--steps", "1")
    assert result.exit_code == 1
    assert "another charrnn process is using" in result.stderr
    assert not fox.config.exists()


def during_training(run: Run, monkeypatch, at: int, happens) -> None:
    """Calls `happens` when a training is at step `at`."""
    original, steps = bookkeeping.learning_rate, []

    def rate(*arguments):
        steps.append(1)
        if len(steps) == at:
            happens()
        return original(*arguments)

    monkeypatch.setattr(bookkeeping, "learning_rate", rate)


SMALL = "--cpu --hidden 8 --layers 1 --batch-size 2 --seq-length 8 --steps 60 --checkpoint-every 10 --no-preview"


def test_a_run_that_is_removed_during_training(fox, monkeypatch):
    during_training(fox, monkeypatch, 25, lambda: shutil.rmtree(fox.folder))
    result = charrnn("train", "fox", *SMALL.split())
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


def refuse_folders(patch) -> None:
    """Refuses new folders in checkpoints, as permissions do to everyone but root."""
    original = Path.mkdir

    def mkdir(path, *arguments, **named):
        if "checkpoints" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **named)

    patch.setattr(Path, "mkdir", mkdir)


def test_a_run_that_becomes_read_only_during_training(fox, monkeypatch):
    with monkeypatch.context() as patch:
        during_training(fox, patch, 25, lambda: fox.checkpoints.chmod(0o500))
        if os.geteuid() == 0:
            during_training(fox, patch, 25, lambda: refuse_folders(patch))
        result = charrnn("train", "fox", *SMALL.split())
    fox.checkpoints.chmod(0o700)
    assert result.exit_code == 1
    assert "Permission denied" in result.stderr
    assert "Everything saved before is intact" in result.stderr
    assert checkpoints(fox)[-1].step == 20
    result = charrnn("train", "fox")
    assert "resuming from step 20" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_jump_of_the_clock_changes_nothing(fox, monkeypatch, jump):
    original, jumped = time.time, []
    monkeypatch.setattr(time, "time", lambda: original() + (jump if jumped else 0))
    during_training(fox, monkeypatch, 25, lambda: jumped.append(1))
    result = charrnn("train", "fox", *SMALL.replace("--steps 60", "--minutes 0.02").split())
    assert result.exit_code == 0
    assert "is finished: 0.02 minutes" in result.stderr


def test_no_file_that_is_read_can_run_code():
    calls = {"eval", "exec", "compile", "__import__"}
    modules = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "runpy"}
    for path in sorted([*(ROOT / "charrnn_cli").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in calls, f"{path}:{node.lineno}"
            elif isinstance(node, ast.Attribute):
                called = ast.unparse(node)
                assert called not in ("torch.load", "torch.save", "yaml.load"), f"{path}:{node.lineno}"
                assert node.attr != "allow_pickle", f"{path}:{node.lineno}"
            for name in names:
                assert name.split(".")[0] not in modules, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword):
                assert node.arg != "allow_pickle", f"{path}:{node.value.lineno}"
