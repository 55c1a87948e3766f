import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
import typer.main
from support import charrnn, in_turn

from charrnn_cli.cli import app
from charrnn_cli.errors import CharrnnError
from charrnn_cli.runs.checkpoints import checkpoints

COMMANDS = ["prepare", "train", "sample", "serve", "evaluate", "plot", "compare", "models", "info", "presets"]
COMMANDS += ["export", "visualize"]


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_help_loads_neither_torch_nor_numpy():
    commands = ["--help", *(f"{command} --help" for command in COMMANDS), "--version"]
    loaded = "print([m for m in ('torch', 'numpy', 'rich', 'safetensors') if m in sys.modules])"
    assert fresh(f"{in_turn(commands)}\n{loaded}") == "[]"


def test_importing_the_package_does_nothing():
    assert fresh("import sys; before = set(sys.modules); import charrnn_cli; print(set(sys.modules) - before)") in (
        "{'charrnn_cli'}",
        "set()",
    )


def test_every_command_has_a_sentence_and_examples():
    assert sorted(typer.main.get_command(app).commands) == sorted(COMMANDS)
    for command in COMMANDS:
        text = charrnn(command, "--help").stdout
        assert f"charrnn {command}" in text.split("Options:")[0].split("\n\n", 1)[1]


def test_the_version_is_the_installed_one():
    assert charrnn("--version").stdout == f"charrnn {version('charrnn-cli')}\n"


@pytest.mark.parametrize("arguments", [["learn"], ["train", "--hiden", "3"], ["sample", "--length", "x"], ["prepare"]])
def test_usage_errors_end_with_2(arguments):
    result = charrnn(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr


def test_a_mistake_ends_with_a_message_and_without_a_traceback(folder):
    done = subprocess.run([sys.executable, "-m", "charrnn_cli", "train"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "charrnn: nothing is prepared in this folder yet. Type: charrnn prepare FILE.txt\n"


def test_a_full_disk_behind_stdout_is_a_clear_error(folder):
    command = f"{sys.executable} -m charrnn_cli sample --length 10 --seed 1 > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "cannot write standard output: No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("arguments", ["sample --length 5", "models", "--help"])
@pytest.mark.parametrize("where", [">&-", "2>&-", ">/dev/full"])
def test_closed_and_full_streams_are_no_bug(folder, arguments, where):
    command = f"{sys.executable} -m charrnn_cli {arguments} {where}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if where == ">/dev/full" else 0)
    assert "Traceback" not in done.stderr


def test_training_goes_on_when_nobody_reads_its_messages(fox):
    small = "--cpu --hidden 8 --batch-size 4 --seq-length 8 --checkpoint-every 10"
    command = f"{sys.executable} -m charrnn_cli train {small} --steps 30 2>&1 | head -1"
    subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=True)
    assert checkpoints(fox)[-1].step == 30


def test_head_ends_a_sample_quietly(folder):
    command = f"{sys.executable} -m charrnn_cli sample --length 100000 --seed 1 | head -c 20"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert len(done.stdout) == 20
    assert done.stderr.count("\n") == 1  # which model writes, and nothing more


@pytest.mark.parametrize(
    "locale", [{"LANG": "C", "LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_output_is_utf8_whatever_the_locale(folder, locale):
    (folder / "text.txt").write_text("żółć ☕ " * 100, "utf-8")
    commands = in_turn(["prepare text.txt", "info text --json"])
    done = subprocess.run(
        [sys.executable, "-c", commands], capture_output=True, env={**os.environ, **locale}, check=True
    )
    assert json.loads(done.stdout.decode("utf-8"))["corpus"]["distinct"] == 6


def test_a_library_that_cannot_be_loaded_is_a_clear_error(monkeypatch):
    def failing(message):
        def fail(*_, **named):
            raise ImportError(message)

        return fail

    monkeypatch.setattr("charrnn_cli.runs.describe.describe_all", failing("libtorch.so: failed to map segment"))
    result = charrnn("models")
    assert result.exit_code == 1
    assert "a library cannot be loaded: libtorch.so: failed to map segment." in result.stderr
    monkeypatch.setattr("charrnn_cli.runs.describe.describe_all", failing("No module named charrnn_cli.nothing"))
    with pytest.raises(ImportError):
        charrnn("models")


def test_a_lack_of_memory_is_a_clear_error(monkeypatch):
    def fail(*_, **named):
        raise MemoryError

    monkeypatch.setattr("charrnn_cli.runs.describe.describe_all", fail)
    result = charrnn("models")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "charrnn: the memory is full. Close other programs and check the limit of memory (ulimit -v).\n"
    )


def test_a_warning_is_a_line_on_stderr_and_the_work_goes_on(fox, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("charrnn_cli.network.device._why_unusable", lambda device: "CUDA error: it is busy")
    result = charrnn("train", "--steps", "1", "--batch-size", "2", "--hidden", "8", "--no-preview")
    assert result.exit_code == 0
    assert "charrnn: the GPU cannot be used: CUDA error: it is busy. The CPU computes instead.\n" in result.stderr


def test_control_characters_in_messages_are_visible(monkeypatch):
    def fail(*_, **named):
        raise CharrnnError("damaged: \x9b1m\u202e")

    monkeypatch.setattr("charrnn_cli.runs.describe.describe_all", fail)
    assert charrnn("models").stderr == "charrnn: damaged: \\x9b1m\\u202e\n"
