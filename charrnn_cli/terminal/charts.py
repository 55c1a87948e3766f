"""Loss curves as a chart of characters, for a terminal."""

import math
import shutil
from collections.abc import Sequence

from charrnn_cli.config import Over, Unit
from charrnn_cli.runs.curves import Curve
from charrnn_cli.terminal.axes import UNIT_LABELS, end_of, legend_text, scaled, x_axis, y_limits

RUN_COLORS = ("blue", "orange", "green", "magenta", "cyan", "red")  # of the first run, the second, and so on
RUN_MARKS = "●■▲◆★▼"  # of their validation curves
FINE_LINE, FINE_LINE_KEY = "braille", "⠒⠒"  # plotext's name for fine lines, and how they look in the legend
VALIDATION_MARKS = 24  # most marks on a validation curve
CHART_ROWS = 24  # most rows of a chart
LEAST_ROWS = 8
COLUMNS_PER_TICK = 12


def chart_size() -> tuple[int, int]:
    """The columns and rows of a chart that fits the terminal, with two rows left for the prompt."""
    columns, rows = shutil.get_terminal_size()
    return columns, min(rows - 2, CHART_ROWS)


def terminal_chart(curves: Sequence[Curve], over: Over, unit: Unit, width: int, height: int) -> str:
    """A chart of `width` columns and `height` rows, with its legend above. Colors are escape codes."""
    import plotext  # type: ignore[import-untyped]  # has no types

    axis = x_axis(over, end_of(curves))
    lines = scaled(curves, axis, unit)
    runs = list(dict.fromkeys(line.run for line in lines))
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, max(height - len(lines), LEAST_ROWS))
    legend = [_draw(line, runs.index(line.run), width) for line in lines]
    plotext.ylim(*y_limits(lines))
    ticks = _ticks(end_of(lines), width // COLUMNS_PER_TICK)
    plotext.xticks(ticks, [f"{tick:,g}" for tick in ticks])
    plotext.xlabel(axis.label)
    plotext.ylabel(UNIT_LABELS[unit])
    return "\n".join((*legend, plotext.build().rstrip("\n")))


def _draw(line: Curve, run: int, width: int) -> str:
    """Draws a curve of the run with that number, and returns its line of the legend."""
    import plotext

    color, mark = RUN_COLORS[run % len(RUN_COLORS)], RUN_MARKS[run % len(RUN_MARKS)]
    if line.split == "train":
        thin = line.thinned(2 * width)  # a column of fine lines has two dots
        plotext.plot(thin.x, thin.y, marker=FINE_LINE, color=color)
        key = FINE_LINE_KEY
    else:
        thin = line.thinned(VALIDATION_MARKS)
        plotext.scatter(thin.x, thin.y, marker=mark, color=color)
        key = f" {mark}"
    return f"{plotext.colorize(key, color)} {legend_text(line)}"


def _ticks(end: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, from 0 to `end`, with at most `count` steps between them."""
    rough = end / max(count, 1) or 1.0
    magnitude = 10 ** math.floor(math.log10(rough))
    tolerance = 1 + 1e-9  # for the rounding of floats
    step = next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude * tolerance >= rough)
    return [k * step for k in range(math.floor(end / step * tolerance) + 1)]
