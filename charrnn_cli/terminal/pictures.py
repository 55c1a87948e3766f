"""Loss curves as a picture, drawn with matplotlib, an optional dependency."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn_cli.config import Over, Unit
from charrnn_cli.errors import UsageError
from charrnn_cli.files import write_bytes
from charrnn_cli.runs.curves import Curve
from charrnn_cli.terminal.axes import UNIT_LABELS, end_of, legend_text, scaled, x_axis, y_limits

PICTURE_ENDINGS = (".png", ".svg", ".pdf")
PICTURE_POINTS = 400  # most points of a curve
LINE_STYLES: dict[str, dict[str, Any]] = {
    "train": {"alpha": 0.6, "linewidth": 1.0},
    "valid": {"marker": ".", "linewidth": 1.8},
}


def save_picture(curves: Sequence[Curve], over: Over, unit: Unit, path: Path) -> None:
    """Writes the curves as a PNG, SVG or PDF file, chosen by the ending of its name. Raises UsageError, DiskError."""
    if path.suffix.lower() not in PICTURE_ENDINGS:
        raise UsageError(f"--output {path} must end in {', '.join(PICTURE_ENDINGS[:-1])} or {PICTURE_ENDINGS[-1]}.")
    figure = new_figure("--output", figsize=(8, 4.5), dpi=150, layout="constrained")
    from matplotlib.ticker import StrMethodFormatter

    axis = x_axis(over, end_of(curves))
    lines = scaled(curves, axis, unit)
    runs = list(dict.fromkeys(line.run for line in lines))
    chart = figure.add_subplot()
    for line in lines:
        color, thin = f"C{runs.index(line.run)}", line.thinned(PICTURE_POINTS)
        chart.plot(thin.x, thin.y, color=color, label=legend_text(line), **LINE_STYLES[line.split])
    chart.set_ylim(*y_limits(lines))
    chart.set_xlim(left=0)
    chart.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    chart.set_xlabel(axis.label)
    chart.set_ylabel(UNIT_LABELS[unit])
    chart.grid(alpha=0.3)
    chart.legend(frameon=False)
    save_figure(figure, path)


def new_figure(flag: str, **options: Any) -> Any:
    """An empty figure of matplotlib. Raises UsageError, which names the flag, if it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"{flag} needs matplotlib, which is not installed. Type: pip install matplotlib") from error
    return Figure(**options)


def save_figure(figure: Any, path: Path, **options: Any) -> None:
    """Writes a figure in the format that the ending of `path` names. Raises DiskError."""
    file = io.BytesIO()
    figure.savefig(file, format=path.suffix[1:].lower(), **options)
    write_bytes(path, file.getvalue())
