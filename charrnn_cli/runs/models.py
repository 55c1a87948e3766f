"""A trained model from its files into memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.runs.checkpoints import (
    Checkpoint,
    Config,
    Summary,
    checkpoints,
    load_checksum,
    load_summary,
    load_tensors,
)
from charrnn_cli.runs.folders import Run
from charrnn_cli.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Model:
    """A trained model in memory."""

    settings: ModelSettings
    vocabulary: Vocabulary
    weights: Mapping[str, NDArray[Any]]
    summary: Summary


def load_model(run: Run, step: int | None = None) -> Model:
    """The best weights of a run or model, or those of the checkpoint at `step`. Raises RunError."""
    path = run.weights if step is None else _checkpoint(run, step).weights
    config = Config.load(run.config)
    known = config.weights_sha256 if step is None else None
    if known is not None and load_checksum(path) != known:
        raise RunError(f"{path} is damaged: its checksum is not the one in config.json.")
    return Model(config.model, Vocabulary.load(run.vocabulary), load_tensors(path), load_summary(path))


def _checkpoint(run: Run, step: int) -> Checkpoint:
    found = checkpoints(run)
    for checkpoint in found:
        if checkpoint.step == step:
            return checkpoint
    have = ", ".join(str(checkpoint.step) for checkpoint in found) or "none"
    raise UsageError(f"--checkpoint {step}: {run.name} has the checkpoints {have} (charrnn info {run.quoted}).")
