"""charrnn compare: shows what differs between runs."""

from typing import Annotated

import typer

from charrnn_cli.commands.completion import complete_runs_and_models
from charrnn_cli.commands.options import JsonOption


def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Runs, bundled models or folders.", autocompletion=complete_runs_and_models),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show the settings in which runs differ, and their results.

    \b
    charrnn compare small large
    charrnn compare novel anna --json
    """
    from charrnn_cli.errors import UsageError
    from charrnn_cli.runs.comparison import compare_runs
    from charrnn_cli.runs.describe import describe
    from charrnn_cli.runs.folders import find_run
    from charrnn_cli.terminal.descriptions import comparison_text
    from charrnn_cli.terminal.records import print_record
    from charrnn_cli.terminal.tables import output_width

    if len(names) < 2:
        raise UsageError(f"compare needs at least two runs, got only {names[0]}. See: charrnn models")
    comparison = compare_runs([describe(find_run(name)) for name in names])
    if as_json:
        print_record(comparison.record())
    else:
        typer.echo(comparison_text(comparison, output_width()))
