"""The Typer app. Errors that a user can fix become a message and an exit code here, and only here."""

import io
import os
import signal
import sys
import warnings
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from charrnn_cli.commands.flags import as_flags
from charrnn_cli.errors import CharrnnError, CharrnnWarning, DiskError, disk_errors
from charrnn_cli.launcher import launched
from charrnn_cli.machine import choose_kernels, limit_spinning
from charrnn_cli.wording import visible

COMMANDS = (  # in the order of the help; charrnn_cli/commands/ has a file with a function of the same name for each
    "prepare",
    "train",
    "sample",
    "serve",
    "evaluate",
    "visualize",
    "plot",
    "compare",
    "models",
    "info",
    "presets",
    "export",
)
CONTEXT = {"help_option_names": ["-h", "--help"]}


class LazyCommands(UserDict[str, Any]):
    """The commands by name. The file of a command is imported when the command is first needed."""

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _load_command(name)
        return self.data[name]


def _load_command(name: str) -> Any:
    from charrnn_cli.commands.options import GroupedCommand

    function = getattr(import_module(f"charrnn_cli.commands.{name}"), name)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)
    alone.command(name, cls=GroupedCommand)(function)
    return typer.main.get_command(alone)


LIBRARY_FAILURES = (".so", ".dylib", "DLL", "shared object", "C-extensions")  # in the message of an ImportError


class Door(TyperGroup):
    """The list of commands. An error of a known kind becomes a message; a bug keeps its traceback."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LazyCommands(dict.fromkeys(COMMANDS))

    def invoke(self, ctx: Any) -> Any:
        try:
            with _library_errors(), _warnings_as_messages():
                return super().invoke(ctx)
        except CharrnnError as error:
            if launched():
                from charrnn_cli.network.ranks import report_once

                report_once(error)
            _report(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            typer.echo("\ncharrnn: interrupted. No file was left incomplete.", err=True)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of our output closed the pipe, as head does
            _discard_stdout()
            raise typer.Exit(0) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Lists every command with its whole first sentence."""
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    cls=Door,
    name="charrnn",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)


def _version(asked: bool) -> None:
    if asked:
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
    charrnn sample --prime "Far"     # write right away, with a bundled model
    charrnn prepare anna.txt         # turn your own text into numbers
    charrnn train                    # learn it; Ctrl-C saves, and the same command resumes
    charrnn sample --prime "Far"     # write with your own model
    """


@contextmanager
def _library_errors() -> Iterator[None]:
    """Turns a lack of memory, and the failure to load machine code such as torch's, into a CharrnnError."""
    try:
        yield
    except MemoryError as error:
        raise CharrnnError(
            "the memory is full. Close other programs and check the limit of memory (ulimit -v)."
        ) from error
    except ImportError as error:
        if not any(part in str(error) for part in LIBRARY_FAILURES):
            raise
        reason = str(error.__cause__ or error)
        raise CharrnnError(
            f"a library cannot be loaded: {reason}. Close other programs and check the limit of memory (ulimit -v), or "
            "install charrnn again."
        ) from error


@contextmanager
def _warnings_as_messages() -> Iterator[None]:
    """Shows the warnings of the library as it shows errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", CharrnnWarning)
        show_other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, CharrnnWarning):
                _say(str(message))
            else:
                show_other(message, category, *rest)

        warnings.showwarning = show  # type: ignore[assignment]
        yield


class _Stdout(io.FileIO):
    """Standard output whose failures, such as a full disk, are errors that a user can fix."""

    def write(self, data: Any) -> int:
        with disk_errors("write", Path("standard output")):
            return super().write(data)


def main() -> None:
    """The `charrnn` command."""
    sys.stdout = _utf8_stdout() if sys.stdout else Path(os.devnull).open("w")  # noqa: SIM115  # closed by whoever started us
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _terminate)
    choose_kernels()
    limit_spinning()
    try:
        app()
    except DiskError as error:  # the help could not be printed
        _report(error)
        sys.exit(error.exit_code)


def _utf8_stdout() -> io.TextIOWrapper:
    """Standard output in UTF-8, whatever the locale."""
    raw = _Stdout(1, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "replace", line_buffering=raw.isatty())


def _report(error: CharrnnError) -> None:
    if not error.silent:
        _say(str(error))
    _discard_stdout()


def _say(message: str) -> None:
    """Prints a message of the library, with control characters made visible."""
    typer.echo(visible(f"charrnn: {as_flags(message)}"), err=True)


def _terminate(number: int, frame: object) -> None:
    """Exits as after Ctrl-C: unfinished files are removed."""
    sys.exit(128 + number)


def _discard_stdout() -> None:
    """Drops output that cannot be written, so that Python does not complain about it at exit."""
    try:
        sys.stdout.flush()
    except (CharrnnError, OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
