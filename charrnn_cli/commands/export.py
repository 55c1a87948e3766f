"""charrnn export: copies the model of a run to a folder of its own, or to ONNX files for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.commands.completion import complete_models


def export(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A run or a model.", autocompletion=complete_models)],
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="The folder to write, unless --onnx is given. Its name becomes the name of the model.",
        ),
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write two ONNX files with 8-bit weights instead, for programs without charrnn. The name of the "
            "second one ends with -loop.onnx.",
        ),
    ] = None,
    float16: Annotated[
        bool,
        typer.Option("--float16/--float32", help="float16 halves the size and changes the loss by less than 0.001."),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a model in the folder, or the files.")] = False,
) -> None:
    """Copy the best model of a run to a folder of its own, to keep or to share.

    \b
    charrnn export anna models/anna
    charrnn sample --model models/anna --prime "Far"
    charrnn export anna --onnx anna.onnx
    """
    from charrnn_cli.errors import UsageError

    if onnx is None and folder is not None:
        _export_folder(name, folder, float16, force)
    elif onnx is not None and folder is None:
        if not float16:
            raise UsageError("--onnx writes 8-bit weights. Leave out --float32.")
        _export_onnx(name, onnx, force)
    else:
        raise UsageError("Pass either a FOLDER, or --onnx FILE.")


def _export_folder(name: str, folder: Path, float16: bool, force: bool) -> None:
    import shlex

    from charrnn_cli.files import file_size
    from charrnn_cli.runs.export import export_model
    from charrnn_cli.runs.folders import run_to_sample
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.wording import byte_size

    weights = export_model(run_to_sample(name), folder, float16, force)
    command = f"charrnn sample --model {shlex.quote(str(folder))}"
    say(new_console(), f"{folder}: {byte_size(file_size(weights))}. To write: {command}")


def _export_onnx(name: str, file: Path, force: bool) -> None:
    from charrnn_cli.files import file_size
    from charrnn_cli.generation.onnx_export import export_onnx
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.runs.folders import run_to_sample
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.wording import byte_size

    console = new_console()
    for path in export_onnx(load_checked_model(run_to_sample(name)), file, force):
        say(console, f"{path}: {byte_size(file_size(path))}")
