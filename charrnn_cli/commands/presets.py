"""charrnn presets: named settings, and where they come from."""

import dataclasses
import json
from typing import Annotated

import typer


def presets(as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False) -> None:
    """List the presets of train: what they are, and where they come from.

    \b
    charrnn presets
    charrnn train ptb --preset ptb-small
    """
    from charrnn_cli.terminal.console import aligned
    from charrnn_cli.training.presets import AUTO, AUTO_SOURCE, PRESETS
    from charrnn_cli.wording import network_shape, training_recipe

    made = {name: make() for name, make in PRESETS.items()}
    if as_json:
        records = [{"name": name, **dataclasses.asdict(preset)} for name, preset in made.items()]
        typer.echo(json.dumps([{"name": AUTO, "source": AUTO_SOURCE}, *records]))
        return
    rows = [("name", "levels", "network", "training", "source"), (AUTO, "all", "", "", AUTO_SOURCE)]
    for name, preset in made.items():
        rows.append((name, ", ".join(preset.levels), network_shape(preset.model), training_recipe(preset.training), preset.source))
    typer.echo(aligned(rows))
