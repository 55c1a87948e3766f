"""Loss curves of runs, from their logs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from charrnn_cli.config import Over
from charrnn_cli.errors import RunError
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import read_log
from charrnn_cli.text.corpus import Corpus

CurveSplit = Literal["train", "valid"]
X_FIELDS = {"steps": "step", "epochs": "epoch", "time": "seconds", "tokens": "epoch"}  # fields of a log record
LOSS_FIELDS: dict[str, tuple[CurveSplit, str]] = {"report": ("train", "loss"), "validation": ("valid", "valid_loss")}
LARGEST_LOGGED = 1e15  # a larger number in a log is damage


@dataclass(frozen=True)
class Curve:
    """A line of a chart: losses in nats per token, over steps, epochs, seconds of training or tokens read."""

    run: str
    split: CurveSplit
    x: tuple[float, ...]
    y: tuple[float, ...]

    def thinned(self, points: int) -> "Curve":
        """The same line through at most `points` points, each the mean of equally many neighbors."""
        size = math.ceil(len(self.x) / points)
        if size <= 1:
            return self
        return Curve(self.run, self.split, _means(self.x, size), _means(self.y, size))


def curves(run: Run, over: Over) -> list[Curve]:
    """The training and the validation curve of a run. Raises RunError if the log is empty or damaged."""
    tokens_per_epoch = Corpus(run.corpus).info.tokens["train"] if over == "tokens" else 1
    points: dict[CurveSplit, list[tuple[float, float]]] = {"train": [], "valid": []}
    for record in read_log(run.log):
        if record["kind"] in LOSS_FIELDS:
            split, loss_field = LOSS_FIELDS[record["kind"]]
            x, loss = _number(record, X_FIELDS[over], run), _number(record, loss_field, run)
            if x < 0:
                raise RunError(f"{run.log} is damaged: a record has a negative number in the field {X_FIELDS[over]}.")
            if math.isfinite(loss):  # not after training diverged
                points[split].append((x * tokens_per_epoch, loss))
    if not any(points.values()):
        if run.bundled:
            raise RunError(
                f"{run.name} is bundled, so its log is not here; its README shows its curve. Name one of your runs."
            )
        raise RunError(f"{run.name} has no losses in its log yet. Type: charrnn train {run.quoted}")
    return [Curve(run.name, split, *zip(*line, strict=True)) for split, line in points.items() if line]


def _means(values: Sequence[float], size: int) -> tuple[float, ...]:
    """The means of neighboring groups of `size` values; the last group may be smaller."""
    groups = (values[start : start + size] for start in range(0, len(values), size))
    return tuple(sum(group) / len(group) for group in groups)


def _number(record: dict[str, Any], field: str, run: Run) -> float:
    """A number of a record. It may be infinite or NaN if it is a loss. Raises RunError."""
    value = record.get(field)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RunError(f"{run.log} is damaged: a record has no number in the field {field}.")
    if abs(value) <= LARGEST_LOGGED:
        return float(value)
    diverged = isinstance(value, float) and not math.isfinite(value)
    if diverged and any(field == loss_field for _, loss_field in LOSS_FIELDS.values()):
        return value
    raise RunError(f"{run.log} is damaged: a record has an impossible number in the field {field}.")
