"""The Typer app; catches our errors once, at the door."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from charrnn_cli.commands.compare import compare
from charrnn_cli.commands.evaluate import evaluate
from charrnn_cli.commands.export import export
from charrnn_cli.commands.info import info
from charrnn_cli.commands.models import models
from charrnn_cli.commands.plot import plot
from charrnn_cli.commands.prepare import prepare
from charrnn_cli.commands.presets import presets
from charrnn_cli.commands.sample import sample
from charrnn_cli.commands.train import train
from charrnn_cli.errors import CharrnnError
from charrnn_cli.machine import choose_kernels


class Door(TyperGroup):
    """Where what a user can mend becomes a message and an exit code; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except CharrnnError as error:
            typer.echo(f"charrnn: {error}", err=True)
            _abandon_stdout()
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            typer.echo("\ncharrnn: interrupted; nothing was left half-done.", err=True)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of our output has enough, as head has
            _abandon_stdout()
            raise typer.Exit(0) from None


def _abandon_stdout() -> None:
    """What stdout still holds and cannot write is nobody's concern at the end of the process."""
    try:
        sys.stdout.flush()
    except (OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


app = typer.Typer(
    cls=Door,
    name="charrnn",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (prepare, train, sample, evaluate, plot, compare, models, info, presets, export):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"charrnn {version('charrnn-cli')}")
        raise typer.Exit


@app.callback()
def charrnn(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train recurrent language models on your own text, and write new text with them.

    \b
    charrnn sample --prime "Far"     # write at once, with the bundled model
    charrnn prepare anna.txt         # your own text: its characters become numbers
    charrnn train                    # learn it; Ctrl-C saves, and the same command goes on
    charrnn sample --prime "Far"     # write with what was learned
    """


def main() -> None:
    """The `charrnn` command."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115  # closed by whoever called us
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # never the locale's
    signal.signal(signal.SIGTERM, _terminate)
    choose_kernels()
    try:
        app()
    except OSError as error:  # the system's word on a file of the user's
        typer.echo(f"charrnn: {error.strerror}{f': {error.filename}' if error.filename else ''}", err=True)
        _abandon_stdout()
        sys.exit(1)


def _terminate(number: int, frame: object) -> None:
    """Ends as after Ctrl-C: what is unfinished is removed."""
    sys.exit(128 + number)
