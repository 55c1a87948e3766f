"""charrnn export: the model of a run as a folder of its own, to keep or to give away."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    name: Annotated[str, typer.Argument(help="The run.")],
    folder: Annotated[Path, typer.Argument(help="The folder to make; its name is the model's.")],
    float16: Annotated[
        bool, typer.Option("--float16/--float32", help="Half the size; the loss moves by less than 0.001.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace the model that is in the folder.")] = False,
) -> None:
    """Copy a run's best model into a folder of its own.

    \b
    charrnn export anna models/anna
    charrnn sample --model models/anna --prime "Far"
    """
    from charrnn_cli.runs.export import export_model
    from charrnn_cli.runs.folders import run_to_sample
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.wording import byte_size

    weights = export_model(run_to_sample(name), folder, float16, force)
    say(new_console(), f"{folder}: {byte_size(weights.stat().st_size)}. To write: charrnn sample --model {folder}")
