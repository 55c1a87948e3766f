"""charrnn export: copies the model of a run to a folder of its own, to ONNX files or to a page."""

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
            help="The folder to write, unless --onnx or --html is given. Its name becomes the name of the model.",
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
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write one HTML page with 8-bit weights instead: it writes and scores text in any browser, offline.",
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
    charrnn export anna --html anna.html
    """
    from charrnn_cli.errors import UsageError

    if sum(target is not None for target in (folder, onnx, html)) != 1:
        raise UsageError("Pass one of a FOLDER, --onnx FILE and --html FILE.")
    if folder is not None:
        _export_folder(name, folder, float16, force)
        return
    if not float16:
        raise UsageError(f"--{'onnx' if onnx else 'html'} writes 8-bit weights. Leave out --float32.")
    if onnx is not None:
        _export_onnx(name, onnx, force)
    elif html is not None:
        _export_html(name, html, force)


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


def _export_html(name: str, file: Path, force: bool) -> None:
    from charrnn_cli.files import file_size
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.runs.folders import run_to_sample
    from charrnn_cli.runs.found_cells import read_cells
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.web.html_page import export_html
    from charrnn_cli.wording import byte_size

    run = run_to_sample(name)
    model = load_checked_model(run)
    path = export_html(model, run.name, file, read_cells(run, model.checksum), force)
    say(new_console(), f"{path}: {byte_size(file_size(path))}. To write, open it in a browser.")
