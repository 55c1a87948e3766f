"""Loss curves of runs, out of their logs."""

from dataclasses import dataclass
from typing import Any, Literal

from charrnn_cli.config import Over
from charrnn_cli.errors import RunError
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import read_log
from charrnn_cli.text.corpus import Corpus

Part = Literal["train", "valid"]
FIELDS = {"steps": "step", "epochs": "epoch", "time": "seconds", "tokens": "epoch"}  # of a log's records
LOSSES: dict[str, tuple[Part, str]] = {"report": ("train", "loss"), "validation": ("valid", "valid_loss")}


@dataclass(frozen=True)
class Curve:
    """A line of a chart: losses in nats per token, over steps, epochs, seconds of training or tokens read."""

    run: str
    part: Part
    x: tuple[float, ...]
    y: tuple[float, ...]

    def thinned(self, points: int) -> "Curve":
        """The same line through at most so many points, each the mean of those that it stands for."""
        size = -(-len(self.x) // points)
        means = (
            tuple(sum(part) / len(part) for k in range(0, len(line), size) if (part := line[k : k + size]))
            for line in (self.x, self.y)
        )
        return Curve(self.run, self.part, *means) if size > 1 else self


def curves(run: Run, over: Over) -> list[Curve]:
    """What `run` lost on the text that it learns and on the text held out. Raises RunError where nothing is logged."""
    points: dict[Part, list[tuple[float, float]]] = {"train": [], "valid": []}
    scale = _tokens_of_an_epoch(run) if over == "tokens" else 1
    for record in read_log(run.log):
        if (kind := record["kind"]) in LOSSES:
            part, field = LOSSES[kind]
            points[part].append((_number(record, FIELDS[over], run) * scale, _number(record, field, run)))
    if not any(points.values()):
        if run.bundled:
            raise RunError(f"{run.name} is bundled and has no log here; its README has its curve. Name a run of yours.")
        raise RunError(f"{run.name} has learned nothing yet. Type: charrnn train {run.quoted}")
    return [Curve(run.name, part, *zip(*line, strict=True)) for part, line in points.items() if line]


def _tokens_of_an_epoch(run: Run) -> int:
    return Corpus(run.corpus).info.tokens["train"]


def _number(record: dict[str, Any], field: str, run: Run) -> float:
    value = record.get(field)
    if not isinstance(value, int | float):
        raise RunError(f"{run.log} is damaged: a record has no {field}.")
    return float(value)
