"""charrnn presets: lists the presets of train."""

import dataclasses

import typer

from charrnn_cli.commands.options import JsonOption


def presets(as_json: JsonOption = False) -> None:
    """List the presets of train, with their settings and where they come from.

    \b
    charrnn presets
    charrnn train ptb --preset ptb-small
    """
    from charrnn_cli.terminal.descriptions import presets_table
    from charrnn_cli.terminal.records import print_record
    from charrnn_cli.terminal.tables import output_width
    from charrnn_cli.training.presets import AUTO, AUTO_SOURCE, PRESETS

    made = {name: make() for name, make in PRESETS.items()}
    if as_json:
        records = [{"name": name, **dataclasses.asdict(preset)} for name, preset in made.items()]
        print_record([{"name": AUTO, "source": AUTO_SOURCE}, *records])
    else:
        typer.echo(presets_table(made, output_width()))
