"""What several tests need."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from charrnn_cli.cli import app
from charrnn_cli.config import PrepareSettings
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.preparation import Prepared, prepare_steps
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.pace import Pace

TEXT = "The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs!\n" * 20


def join(vocabulary: Vocabulary, tokens: list[str]) -> str:
    """The text of all tokens."""
    joiner = tokenizer_of(vocabulary).joiner()
    return "".join([*map(joiner.add, tokens), joiner.end()])


def prepare_text(folder: Path, text: str, settings: PrepareSettings | None = None, name: str = "fox") -> Run:
    path = folder / f"{name}.txt"
    path.write_bytes(text.encode())
    *_, last = prepare_steps([str(path)], settings or PrepareSettings())
    assert isinstance(last, Prepared)
    return last.run


def charrnn(*arguments: str, stdin: bytes | None = None) -> Result:
    """The command line, in this process; a bug's exception is raised."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def in_turn(commands: list[str]) -> str:
    """A program that runs commands one after the other: a process for each would load torch each time."""
    return (
        f"import sys\nfrom charrnn_cli.cli import main\nfor words in {commands!r}:\n    sys.argv[1:] = words.split()\n"
        "    try: main()\n    except SystemExit as end: assert not end.code, words\n"
        "    sys.stdout.flush()"
    )


def report_every(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes training report by the number of steps: reports by time differ from run to run."""

    def due(pace: Pace, finished: bool) -> bool:
        return finished or pace.counters.step % steps == 0

    monkeypatch.setattr(Pace, "report_due", due)


def train_small(run: Run, steps: int = 40) -> None:
    """Teaches a tiny model a run's text for a moment."""
    small = f"--hidden 16 --layers 1 --embedding 16 --batch-size 4 --seq-length 16 --steps {steps} --learning-rate 0.02"
    result = charrnn("train", run.name, "--cpu", "--no-preview", *small.split())
    assert result.exit_code == 0, result.stderr
