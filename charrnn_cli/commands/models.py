"""charrnn models: lists runs and bundled models."""

import typer

from charrnn_cli.commands.options import JsonOption


def models(as_json: JsonOption = False) -> None:
    """List the runs in this folder, and the bundled models.

    \b
    charrnn models
    charrnn models --json
    """
    from charrnn_cli.runs.describe import describe_all
    from charrnn_cli.terminal.descriptions import models_table
    from charrnn_cli.terminal.records import print_record
    from charrnn_cli.terminal.tables import output_width

    described = describe_all()
    if as_json:
        print_record([model.record() for model in described])
    elif described:
        typer.echo(models_table(described, output_width()))
    else:
        typer.echo("There are no runs in this folder and no bundled models. Type: charrnn prepare FILE.txt")
