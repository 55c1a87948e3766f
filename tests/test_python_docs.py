"""The Python code of the documentation is run: sessions with `>>>` as doctests, other blocks as programs."""

import code
import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import TEXT, charrnn, prepare_text, train_small
from test_docs import ROOT, RUN_PAGES, blocks, documentation_hooks

import charrnn_cli

ONNX = ROOT / "docs" / "onnx.md"  # its program runs in a process of its own
PAGES = [path for path in RUN_PAGES if path != ONNX and any(language == "python" for language, _ in blocks(path))]
SMALL = {"cpu": True, "hidden": 8, "layers": 1, "embedding": 8, "batch_size": 4, "seq_length": 16, "steps": 3}
KNOWN = TEXT + "Far, Anna: Oblonskys' Everything xylophone.\n" * 20
OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, for pages whose reader has one."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train_small(prepare_text(folder, KNOWN, name="anna"), steps=3)
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings take a moment, and no window opens."""
    train = charrnn_cli.train

    def bounded(run: Any, *, minutes: float) -> Any:
        assert minutes > 0
        return train(run, **SMALL)

    monkeypatch.setattr(charrnn_cli, "train", bounded)
    monkeypatch.setenv("MPLBACKEND", "Agg")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("small")
def test_the_python_code_of_every_page_runs(path: Path, trained: Path, folder: Path) -> None:
    text = path.read_text("utf-8")
    if "matplotlib.pyplot" in text:
        pytest.importorskip("matplotlib")
    (folder / "anna.txt").write_text(KNOWN)
    if path.name == "files.md":
        shutil.copytree(trained / "runs", folder / "runs")
    names: dict[str, Any] = {}
    for number, (language, block) in enumerate(blocks(path)):
        if language == "python":
            run_block(block, names, f"block {number} of {path.name}")


class Interpreter(code.InteractiveInterpreter):
    """Runs code whose errors are errors of the test."""

    def showtraceback(self) -> None:
        raise

    def showsyntaxerror(self, *arguments: Any, **named: Any) -> None:
        raise


def run_block(block: str, names: dict[str, Any], title: str) -> None:
    """Runs a block with the names of earlier ones. Fails if a session shows something else."""
    if ">>> " not in block:
        Interpreter(names).runsource(block, title, "exec")
        return
    test = doctest.DocTestParser().get_doctest(block, names, title, None, 0)
    messages: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OUTPUT)
    runner.run(test, out=messages.append, clear_globs=False)
    names.update(test.globs)
    assert not messages, "".join(messages)


def test_a_session_that_shows_something_else_fails() -> None:
    names: dict[str, Any] = {}
    run_block(">>> a = 1\n>>> a\n1\n", names, "good")
    assert names["a"] == 1
    with pytest.raises(AssertionError, match="Expected:"):
        run_block(">>> a\n2\n", names, "bad")


HIDE = """\
import sys
sys.modules.update(dict.fromkeys(("charrnn_cli", "onnx", "torch")))
try:
    import charrnn_cli
except ImportError:
    print("hidden", file=sys.stderr)
"""


def test_the_program_for_onnx_files_needs_no_charrnn_and_writes_its_text(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    (program,) = [block for language, block in blocks(ONNX) if language == "python"]
    assert len([line for line in program.splitlines() if line]) <= 20
    assert charrnn("export", "anna", "--onnx", "anna.onnx").exit_code == 0
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", HIDE + program], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "hidden\n")
    (command,) = re.findall(r"`charrnn (sample .*?)`", ONNX.read_text("utf-8"))
    assert done.stdout == charrnn(*shlex.split(command), "--engine", "onnx").stdout


def test_the_reference_has_every_public_name_once() -> None:
    directives = re.findall(r"^::: charrnn_cli\.(\w+)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.M)
    assert sorted(directives) == sorted(charrnn_cli.__all__)


def test_the_reference_has_the_fields_of_records_and_settings() -> None:
    hooks = documentation_hooks()
    fields = list(hooks._fields(charrnn_cli.Report))
    assert ("loss", "float", "nats per token, mean since the last report") in fields
    settings = {name: meaning for name, _, meaning in hooks._fields(charrnn_cli.SamplingSettings)}
    assert settings["top_n"] == "Choose among the N likeliest tokens; 0 for all. Default: 0."
    assert settings["ban"] == "Never write these characters or words. Repeatable. Default: none."
