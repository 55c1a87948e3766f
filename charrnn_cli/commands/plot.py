"""charrnn plot: draws the loss curves of runs."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.commands.completion import complete_runs
from charrnn_cli.config import OUTPUT, Over, Unit


def plot(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="The runs.  [default: the run trained last]", autocompletion=complete_runs),
    ] = None,
    over: Annotated[Over, typer.Option(help="The x axis.", rich_help_panel=OUTPUT)] = "steps",
    unit: Annotated[
        Unit,
        typer.Option(help="The y axis: loss in nats per token, bits per token, or perplexity.", rich_help_panel=OUTPUT),
    ] = "loss",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a picture (.png, .svg or .pdf).  [default: a chart in the terminal]",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Plot the training and validation loss of runs.

    \b
    charrnn plot
    charrnn plot small large --over time
    charrnn plot anna --output anna.png
    """
    from charrnn_cli.runs.curves import curves
    from charrnn_cli.runs.folders import find_run, run_to_sample
    from charrnn_cli.terminal.charts import chart_size, terminal_chart
    from charrnn_cli.terminal.colors import colors_refused
    from charrnn_cli.terminal.pictures import save_picture

    runs = [find_run(name) for name in dict.fromkeys(names)] if names else [run_to_sample(None)]
    lines = [curve for run in runs for curve in curves(run, over)]
    if output is None:
        chart = terminal_chart(lines, over, unit, *chart_size())
        typer.echo(chart, color=False if colors_refused() else None)
    else:
        save_picture(lines, over, unit, output)
        typer.echo(f"{output}: {', '.join(run.name for run in runs)}")
