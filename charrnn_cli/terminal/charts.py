"""Loss curves as a chart: characters for a terminal (plotext), a picture for a page (matplotlib, an extra)."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from charrnn_cli.config import Over, Unit
from charrnn_cli.errors import UsageError
from charrnn_cli.files import write_bytes
from charrnn_cli.runs.curves import Curve

UNITS = {"loss": "loss, nats per token", "bits": "bits per token", "perplexity": "perplexity"}
PICTURES = (".png", ".svg", ".pdf")
COLOURS = ("blue", "orange", "green", "magenta", "cyan", "red")  # of the runs, in their order
MARKS = "●■▲◆★▼"
LINE, CROSSED = "braille", "⠒"  # plotext's name for fine lines, and how one looks in the legend
POINTS = 400  # of a line in a picture
MARKED = 24  # points of a validation curve in a terminal
BEGINNING = 0.05  # the share of a training whose steep fall may be cut off at the top


@dataclass(frozen=True)
class Axis:
    """What x means."""

    label: str
    scale: float  # what x is divided by


def terminal_chart(curves: Sequence[Curve], over: Over, unit: Unit, width: int, height: int) -> str:
    """The chart in so many columns and rows, its legend above, with escape codes for colours."""
    import plotext  # type: ignore[import-untyped]  # has no types

    names = list(dict.fromkeys(curve.run for curve in curves))
    axis, lines = _shown(curves, over, unit)
    rows = []
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, max(height - len(lines), 8))
    for line in lines:
        k = names.index(line.run)
        colour, mark = _colour(k), MARKS[k % len(MARKS)]
        if line.split == "train":
            thin = line.thinned(2 * width)
            plotext.plot(thin.x, thin.y, marker=LINE, color=colour)
        else:
            thin = line.thinned(MARKED)
            plotext.scatter(thin.x, thin.y, marker=mark, color=colour)
        key = plotext.colorize(CROSSED * 2 if line.split == "train" else f" {mark}", colour)
        rows.append(f"{key} {_legend(line, unit)}")
    low, high = _limits(lines)
    plotext.ylim(low, high)
    numbers = _ticks(max(max(line.x) for line in lines), width // 12)
    plotext.xticks(numbers, [f"{number:,g}" for number in numbers])
    plotext.xlabel(axis.label)
    plotext.ylabel(UNITS[unit])
    return "\n".join((*rows, plotext.build().rstrip("\n")))


def save_picture(curves: Sequence[Curve], over: Over, unit: Unit, path: Path) -> None:
    """The chart as a PNG, SVG or PDF file, by the name's ending. Raises UsageError, DiskError."""
    if path.suffix.lower() not in PICTURES:
        raise UsageError(f"--output {path}: a picture ends in {', '.join(PICTURES)}.")
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import StrMethodFormatter
    except ImportError as error:
        raise UsageError(
            "--output draws with matplotlib, which is not installed. Type: pip install matplotlib"
        ) from error

    names = list(dict.fromkeys(curve.run for curve in curves))
    axis, lines = _shown(curves, over, unit)
    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    chart = figure.add_subplot()
    for line in lines:
        colour, thin = f"C{names.index(line.run)}", line.thinned(POINTS)
        style = {"alpha": 0.6, "linewidth": 1.0} if line.split == "train" else {"marker": ".", "linewidth": 1.8}
        chart.plot(thin.x, thin.y, color=colour, label=_legend(line, unit), **style)
    chart.set_ylim(*_limits(lines))
    chart.set_xlim(left=0)
    chart.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    chart.set_xlabel(axis.label)
    chart.set_ylabel(UNITS[unit])
    chart.grid(alpha=0.3)
    chart.legend(frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format=path.suffix[1:].lower())
    write_bytes(path, file.getvalue())


def _shown(curves: Sequence[Curve], over: Over, unit: Unit) -> tuple[Axis, list[Curve]]:
    """The lines in the units of the axes."""
    axis = _axis(over, max(max(curve.x) for curve in curves))
    return axis, [
        replace(curve, x=tuple(x / axis.scale for x in curve.x), y=tuple(_in(unit, y) for y in curve.y))
        for curve in curves
    ]


def _axis(over: Over, end: float) -> Axis:
    match over:
        case "time":
            return next(
                (
                    Axis(f"{name} of training", scale)
                    for name, scale in (("hours", 3600), ("minutes", 60))
                    if end >= 2 * scale
                ),
                Axis("seconds of training", 1),
            )
        case "tokens":
            return Axis("million tokens", 1e6) if end >= 2e6 else Axis("tokens", 1)
        case _:
            return Axis(over, 1)


def _in(unit: Unit, loss: float) -> float:
    match unit:
        case "loss":
            return loss
        case "bits":
            return loss / math.log(2)
        case "perplexity":
            return math.exp(min(loss, 700.0))


def _limits(lines: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest value to the highest after the beginning, and a little more."""
    low = min(min(line.y) for line in lines)
    high = max(
        max((y for x, y in zip(line.x, line.y, strict=True) if x >= BEGINNING * line.x[-1]), default=line.y[-1])
        for line in lines
    )
    margin = 0.03 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(high: float, most: int) -> list[float]:
    """Round numbers from 0 to `high`, at most `most` and one."""
    rough = high / max(most, 1) or 1.0
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= rough * (1 - 1e-9))
    return [k * step for k in range(math.floor(high / step * (1 + 1e-9)) + 1)]


def _legend(line: Curve, unit: Unit) -> str:
    if line.split == "train":
        return f"{line.run} train {line.y[-1]:.4g}"
    return f"{line.run} valid {line.y[-1]:.4g}, best {min(line.y):.4g}"


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]
