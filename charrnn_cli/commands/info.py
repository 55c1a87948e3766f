"""charrnn info: shows everything about one run or model, or checks its files."""

from typing import TYPE_CHECKING, Annotated

import typer

from charrnn_cli.commands.completion import complete_runs_and_models
from charrnn_cli.commands.options import JsonOption

if TYPE_CHECKING:
    from charrnn_cli.runs.folders import Run


def info(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A run, a bundled model or a folder.  [default: the run trained last, or anna]",
            autocompletion=complete_runs_and_models,
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check every file: checksums, sizes and ids. Exit code 1 if one is damaged."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show everything about a run or model: its text, its settings, and the loss of each checkpoint.

    \b
    charrnn info
    charrnn info anna --json
    charrnn info anna --verify
    """
    from charrnn_cli.runs.describe import describe
    from charrnn_cli.runs.folders import find_run, run_to_sample
    from charrnn_cli.terminal.descriptions import description_text
    from charrnn_cli.terminal.records import print_record
    from charrnn_cli.terminal.tables import output_width

    run = run_to_sample(None) if name is None else find_run(name)
    if verify:
        _verify(run, as_json)
        return
    description = describe(run)
    if as_json:
        print_record(description.record())
    else:
        typer.echo(description_text(description, output_width()))


def _verify(run: "Run", as_json: bool) -> None:
    """Prints the result for each file as soon as it is checked. Exits with code 1 if a file is damaged."""
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.runs.verify import verify
    from charrnn_cli.terminal.descriptions import check_line
    from charrnn_cli.terminal.records import print_record

    damaged = False
    for check in verify(run, load_checked_model):
        damaged = damaged or check.problem is not None
        if as_json:
            print_record(check.record())
        else:
            typer.echo(check_line(check))
    if damaged:
        raise typer.Exit(1)
