"""charrnn visualize: finds what the cells of a model track, and shows a text as a cell sees it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn_cli.commands.completion import complete_models
from charrnn_cli.commands.options import (
    CheckpointOption,
    CpuOption,
    DeviceOption,
    DocumentsOption,
    EncodingOption,
    FieldOption,
    GpuOption,
    JsonOption,
    ThreadsOption,
    UnscorableOption,
)
from charrnn_cli.config import OUTPUT, TEXT, VISUALIZED_TOKENS
from charrnn_cli.errors import UsageError

if TYPE_CHECKING:
    from charrnn_cli.analysis.cell_view import CellView
    from charrnn_cli.analysis.study import Study
    from charrnn_cli.analysis.visualization import Visualization
    from charrnn_cli.generation.model import Model


def visualize(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run or a model.", autocompletion=complete_models)],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT...",
            help="Texts that the model has not learned from; - is standard input.  [default: the test split of the "
            "run, or its validation split]",
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(min=1000, help="Read at most this many tokens of the text.", rich_help_panel=TEXT)
    ] = VISUALIZED_TOKENS,
    encoding: EncodingOption = None,
    documents: DocumentsOption = None,
    field: FieldOption = None,
    unknown: UnscorableOption = "error",
    checkpoint: CheckpointOption = None,
    gpu: GpuOption = False,
    cpu: CpuOption = False,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    cell: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Show one cell on the text, by what it tracks (quotes) or by its layer and number (1:237, h:1:237).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    length: Annotated[
        int, typer.Option(min=1, help="Number of tokens to show for a cell.", rich_help_panel=OUTPUT)
    ] = 800,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page (.html) with all results.", rich_help_panel=OUTPUT)
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a picture of the cell, or of the best ones.", rich_help_panel=OUTPUT),
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Store what was found with the model, as cells.json.", rich_help_panel=OUTPUT),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what the cells of a model track, such as quotations, and show a text as a cell sees it.

    \b
    charrnn visualize anna chapter.txt
    charrnn visualize anna chapter.txt --cell quotes
    charrnn visualize anna chapter.txt --cell 1:237 --png cell.png
    charrnn visualize anna chapter.txt --output report.html
    """
    from charrnn_cli.generation.model import load

    if save and (cell or checkpoint):
        raise UsageError("`save` stores what was found in the best weights. Leave out `cell` and `checkpoint`.")
    if cell and output:
        raise UsageError("A page has all cells that were found. Leave out `cell`, or `output`.")
    loaded = load(model, checkpoint=checkpoint)
    reading: dict[str, Any] = {
        **{"encoding": encoding, "documents": documents, "field": field},
        **{"gpu": gpu, "cpu": cpu, "device": device, "threads": threads},
    }
    given = {name: value for name, value in reading.items() if value is not None} | {"unknown": unknown}
    if cell is not None:
        _show_cell(loaded, files or (), cell, tokens, length, png, as_json, given)
    else:
        _show_findings(loaded, files or (), tokens, output, png, save, as_json, given)


def _show_cell(
    model: "Model",
    files: Sequence[str],
    asked: str,
    tokens: int,
    length: int,
    png: Path | None,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Shows one cell. If its place is known, a short piece of the text is enough."""
    from charrnn_cli.analysis.cell_view import GLANCE_TOKENS, view_cell, wanted_cell
    from charrnn_cli.analysis.visualization import visualize as search

    wanted = wanted_cell(asked, model)
    study = _study(model, files, tokens if wanted.address is None else min(tokens, GLANCE_TOKENS), reading)
    address = search(study).address_of(asked) if wanted.address is None else wanted.address
    _show([view_cell(study, address, wanted.hypothesis, length)], png, as_json)


def _show(views: "Sequence[CellView]", png: Path | None, as_json: bool) -> None:
    """Shows cells as a picture, or the first of them as JSON or in the terminal."""
    from charrnn_cli.terminal.cell_pictures import save_cells_picture
    from charrnn_cli.terminal.heat_map import print_heat_map
    from charrnn_cli.terminal.records import print_record

    if png is not None:
        save_cells_picture(views, png)
        typer.echo(f"{png}: {', '.join(view.title or str(view.address) for view in views)}", err=True)
    elif as_json:
        print_record(views[0].record())
    else:
        print_heat_map(views[0])


def _show_findings(
    model: "Model",
    files: Sequence[str],
    tokens: int,
    output: Path | None,
    png: Path | None,
    save: bool,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Searches all cells, and shows and stores what was found."""
    from charrnn_cli.analysis.visualization import visualize as search
    from charrnn_cli.terminal.cell_tables import cells_table, times
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.terminal.records import print_record
    from charrnn_cli.terminal.tables import output_width
    from charrnn_cli.wording import quantity

    result = search(_study(model, files, tokens, reading))
    if as_json:
        print_record(result.record())
    else:
        typer.echo(cells_table(result, output_width()))
    say(new_console(), times(result))
    if save:
        result.save()
        typer.echo(f"{model.run.cells}: {quantity(len(result.found), 'cells')}", err=True)
    if output is not None:
        _write_page(result, output)
    if png is not None:
        _show(result.best_views(), png, as_json=False)


def _write_page(result: "Visualization", output: Path) -> None:
    from charrnn_cli.files import file_size, write_bytes
    from charrnn_cli.web.report import report_page
    from charrnn_cli.wording import byte_size

    write_bytes(output, report_page(result.record()).encode())
    typer.echo(f"{output}: {byte_size(file_size(output))}", err=True)


def _study(model: "Model", files: Sequence[str], tokens: int, reading: dict[str, Any]) -> "Study":
    from charrnn_cli.analysis.study import study_text
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console

    with WorkBar(new_console()) as bar:
        return study_text(model, files, limit=tokens, progress=lambda share: bar.show("reading", share, 1.0), **reading)
