"""The axes of charts of loss curves: units, scales, limits and labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from charrnn_cli.config import Over, Unit
from charrnn_cli.runs.curves import Curve

UNIT_LABELS = {"loss": "loss, nats per token", "bits": "bits per token", "perplexity": "perplexity"}
START = 0.05  # share of a run, at its start, whose steep losses may be cut off at the top of a chart
MARGIN = 0.03  # share of a chart's height that stays free above and below the curves
MAX_NATS = 230.0  # perplexities stay below 1e100, so that sums of them do not overflow


@dataclass(frozen=True)
class XAxis:
    """The label of the x axis, and the number that x is divided by."""

    label: str
    scale: float = 1.0


def x_axis(over: Over, end: float) -> XAxis:
    """The x axis of curves that end at `end`, in a unit that gives short numbers."""
    if over == "time":
        if end >= 2 * 3600:
            return XAxis("hours of training", 3600)
        if end >= 2 * 60:
            return XAxis("minutes of training", 60)
        return XAxis("seconds of training")
    if over == "tokens" and end >= 2e6:
        return XAxis("million tokens", 1e6)
    return XAxis(over)


def scaled(curves: Sequence[Curve], axis: XAxis, unit: Unit) -> list[Curve]:
    """The curves in the units of the axes."""
    return [
        replace(curve, x=tuple(x / axis.scale for x in curve.x), y=tuple(in_unit(loss, unit) for loss in curve.y))
        for curve in curves
    ]


def in_unit(loss: float, unit: Unit) -> float:
    """A loss in nats per token in another unit."""
    match unit:
        case "loss":
            return loss
        case "bits":
            return loss / math.log(2)
        case "perplexity":
            return math.exp(min(loss, MAX_NATS))


def end_of(curves: Sequence[Curve]) -> float:
    """The largest x of all curves."""
    return max(max(curve.x) for curve in curves)


def y_limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest value to the highest one after the start of training, with a margin."""
    low = min(min(curve.y) for curve in curves)
    high = max(_highest_after_start(curve) for curve in curves)
    margin = MARGIN * (high - low) or max(0.5, MARGIN * abs(high))  # a flat curve needs some height too
    return low - margin, high + margin


def legend_text(curve: Curve) -> str:
    """The run, the split, the last value and, for validation, the best one."""
    best = f", best {min(curve.y):.4g}" if curve.split == "valid" else ""
    return f"{curve.run} {curve.split} {curve.y[-1]:.4g}{best}"


def _highest_after_start(curve: Curve) -> float:
    start = START * curve.x[-1]
    return max((y for x, y in zip(curve.x, curve.y, strict=True) if x >= start), default=curve.y[-1])
