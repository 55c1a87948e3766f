"""charrnn export: copies the model of a run to a folder of its own."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.commands.completion import complete_models


def export(
    name: Annotated[str, typer.Argument(metavar="RUN", help="The run.", autocompletion=complete_models)],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write. Its name becomes the name of the model.")
    ],
    float16: Annotated[
        bool,
        typer.Option("--float16/--float32", help="float16 halves the size and changes the loss by less than 0.001."),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a model in the folder.")] = False,
) -> None:
    """Copy the best model of a run to a folder of its own, to keep or to share.

    \b
    charrnn export anna models/anna
    charrnn sample --model models/anna --prime "Far"
    """
    import shlex

    from charrnn_cli.files import file_size
    from charrnn_cli.runs.export import export_model
    from charrnn_cli.runs.folders import run_to_sample
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.wording import byte_size

    weights = export_model(run_to_sample(name), folder, float16, force)
    command = f"charrnn sample --model {shlex.quote(str(folder))}"
    say(new_console(), f"{folder}: {byte_size(file_size(weights))}. To write: {command}")
