"""A text that a model has read, with all its cells."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charrnn_cli.analysis.addresses import CellGrid
from charrnn_cli.analysis.held_out import HeldOutText, read_held_out
from charrnn_cli.analysis.reading import MOST_NUMBERS, CellReading, read_with_cells
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.reading import ReadProgress, finished, ignore_progress
from charrnn_cli.generation.scoring import scoring_device
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.network.device import watched_threads
from charrnn_cli.network.memory import memory_errors
from charrnn_cli.network.model import trained_model


@dataclass(frozen=True)
class Study:
    """A model, a text, and what the model did with it."""

    model: Model
    text: HeldOutText
    grid: CellGrid
    reading: CellReading
    seconds: float  # that reading took


def study_text(
    model: Model,
    files: Sequence[str] = (),
    *,
    limit: int,
    gpu: bool = False,
    cpu: bool = False,
    device: str | None = None,
    threads: int | None = None,
    progress: ReadProgress = ignore_progress,
    **reading: Any,
) -> Study:
    """Reads at most `limit` tokens of files, or of held-out text of the run. `reading` says how files are read.

    A network with many cells reads less, so that their values fit in memory. Raises RunError, TextError, UsageError,
    DiskError, DeviceError.
    """
    started, grid = time.perf_counter(), grid_of(model)
    limit = min(limit, MOST_NUMBERS // (len(grid.states) * grid.layers * grid.units))
    text = read_held_out(model, files, limit, **reading)
    place = scoring_device("torch", gpu, cpu, device)
    network = trained_model(model.stored.settings, model.stored.weights, place)
    with memory_errors("Read fewer `tokens`, or pass `cpu`."):
        watched = watched_threads(place, threads)
        steps = read_with_cells(network, text.ids, first_token(model.vocabulary), place, watched)
        return Study(model, text, grid, finished(steps, progress), time.perf_counter() - started)


def grid_of(model: Model) -> CellGrid:
    settings = model.stored.settings
    return CellGrid(cell_spec(settings.cell).states, settings.layers, settings.hidden)
