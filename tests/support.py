"""What several tests need."""

from pathlib import Path

from typer.testing import CliRunner, Result

from charrnn_cli.cli import app
from charrnn_cli.config import Level, PrepareSettings
from charrnn_cli.preparation import Prepared, prepare
from charrnn_cli.runs import Run
from charrnn_cli.text.tokenizer import tokenizer

TEXT = "The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs!\n" * 20


def join(level: Level, tokens: list[str]) -> str:
    """The text of all tokens."""
    joiner = tokenizer(level).joiner()
    return "".join([*map(joiner.add, tokens), joiner.end()])


def prepare_text(folder: Path, text: str, settings: PrepareSettings | None = None, name: str = "fox") -> Run:
    path = folder / f"{name}.txt"
    path.write_bytes(text.encode())
    *_, last = prepare([str(path)], settings or PrepareSettings())
    assert isinstance(last, Prepared)
    return last.run


def charrnn(*arguments: str, stdin: bytes | None = None) -> Result:
    """The command line, in this process; a bug's exception is raised."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
