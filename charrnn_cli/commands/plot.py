"""charrnn plot: the loss curves of one or several runs."""

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from charrnn_cli.config import Over, Unit

ROWS = 24  # of a chart; less in a lower terminal


def plot(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="The runs.  [default: the one trained last]")
    ] = None,
    over: Annotated[Over, typer.Option(help="What lies along the chart.")] = "steps",
    unit: Annotated[Unit, typer.Option(help="Loss in nats or bits per token, or perplexity.")] = "loss",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture (.png, .svg, .pdf) instead of the terminal.")
    ] = None,
) -> None:
    """Draw how the losses of runs fell.

    \b
    charrnn plot
    charrnn plot small large --over time
    charrnn plot anna --output anna.png
    """
    from charrnn_cli.runs.curves import curves
    from charrnn_cli.runs.folders import find_run, run_to_sample
    from charrnn_cli.terminal.charts import save_picture, terminal_chart

    runs = [find_run(name) for name in dict.fromkeys(names)] if names else [run_to_sample(None)]
    lines = [curve for run in runs for curve in curves(run, over)]
    if output is not None:
        save_picture(lines, over, unit, output)
        typer.echo(f"{output}: {', '.join(run.name for run in runs)}")
        return
    columns, rows = shutil.get_terminal_size()
    typer.echo(
        terminal_chart(lines, over, unit, columns, min(rows - 2, ROWS)),
        color=False if os.environ.get("NO_COLOR") else None,
    )
