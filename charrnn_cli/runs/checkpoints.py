"""Weights and training state on disk: safetensors and JSON, written whole or not at all.

A checkpoint is a folder: `model.safetensors` (the weights, with a `Summary` in its header), `training.safetensors`
(optimizer moments, hidden state, random generators) and `training.json` (numbers of the loop). `model.safetensors`
alone is a model: that of the best checkpoint lies in the run's own folder too.
"""

import dataclasses
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import new_folder, read_json, remove_folder, temporary_beside, write_bytes, write_json
from charrnn_cli.runs.folders import Run
from charrnn_cli.setting import settings_from

Tensors = Mapping[str, NDArray[Any]]
WEIGHTS = "model.safetensors"
TENSORS = "training.safetensors"
NUMBERS = "training.json"
CHECKSUM = "sha256"  # in the header of a safetensors file: of what follows the header
SCALE = "head.scale"  # the tensor (1,) that logits are multiplied with in use: one over the fitted softmax temperature


@dataclass(frozen=True)
class Summary:
    """Where in its training a model is; stands in the header of its weights."""

    step: int
    epoch: float
    seconds: float  # of training
    train_loss: float | None  # nats per token, mean over the last report
    valid_loss: float | None  # nats per token; None: not measured at this step
    when: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Config:
    """config.json: what a model is and how it is trained."""

    model: ModelSettings
    training: TrainingSettings
    preset: str
    device: str
    sha256: str  # of the text
    versions: dict[str, str]
    origin: str | None = None  # the model that it began from
    weights_sha256: str | None = None  # of a model that was exported

    def save(self, path: Path) -> None:
        """Writes config.json. Raises DiskError."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Reads config.json. Raises RunError where it is missing or damaged."""
        try:
            return settings_from(cls, read_json(path))
        except (ValueError, UsageError) as error:
            raise RunError(f"{path} is damaged: {error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """The folder of one checkpoint."""

    folder: Path

    @property
    def step(self) -> int:
        """The optimizer updates that it has seen."""
        return int(self.folder.name.removeprefix("step-"))

    @property
    def weights(self) -> Path:
        """The weights alone."""
        return self.folder / WEIGHTS

    def load(self) -> tuple[Tensors, Tensors, dict[str, Any]]:
        """Weights, training tensors and numbers of the loop. Raises RunError."""
        return load_tensors(self.weights), load_tensors(self.folder / TENSORS), read_json(self.folder / NUMBERS)


def checkpoints(run: Run) -> list[Checkpoint]:
    """The checkpoints of a run in the order of their steps."""
    if not run.checkpoints.is_dir():
        return []
    folders = (path for path in run.checkpoints.iterdir() if re.fullmatch(r"step-[0-9]+", path.name))
    return sorted((Checkpoint(folder) for folder in folders), key=lambda checkpoint: checkpoint.step)


def save_checkpoint(
    run: Run, summary: Summary, weights: Tensors, tensors: Tensors, numbers: dict[str, Any], best_step: int
) -> None:
    """Writes a checkpoint, and makes it the run's model where it is the best.

    Raises DiskError; what was saved before is whole then.
    """
    with new_folder(run.checkpoints / f"step-{summary.step:08d}") as folder:
        write_bytes(folder / WEIGHTS, _with_summary(weights, summary))
        write_bytes(folder / TENSORS, _with_checksum(tensors, {}))
        write_json(folder / NUMBERS, numbers)
    publish_best(run, best_step)


def drop_checkpoints(run: Run, keep: int, every: int | None, best_step: int) -> None:
    """Removes all but the last `keep` checkpoints, the best and the latest.

    Those between two multiples of `every` were made because they were the best or the latest: they go first.
    """
    found = checkpoints(run)
    regular = [checkpoint.step for checkpoint in found if every is None or checkpoint.step % every == 0]
    kept = {*regular[-keep:], best_step, found[-1].step}
    for checkpoint in found:
        if checkpoint.step not in kept:
            remove_folder(checkpoint.folder)


def publish_best(run: Run, best_step: int) -> None:
    """Makes the weights of the best checkpoint the run's model, where they are not yet. Raises DiskError.

    The file gets a second name, not a second copy, where the file system can do that.
    """
    best = run.checkpoints / f"step-{best_step:08d}" / WEIGHTS
    if not best.is_file() or (run.trained and load_summary(run.weights).step == best_step):
        return
    temporary = temporary_beside(run.weights)
    with disk_errors("write", run.weights):
        temporary.unlink(missing_ok=True)
        try:
            os.link(best, temporary)
        except OSError:
            shutil.copyfile(best, temporary)
        temporary.replace(run.weights)


def save_model(path: Path, weights: Tensors, summary: Summary) -> None:
    """Writes weights alone, with their summary. Raises DiskError."""
    write_bytes(path, _with_summary(weights, summary))


def load_tensors(path: Path) -> Tensors:
    """All tensors of a safetensors file. Raises RunError where it is missing or damaged, to the last bit."""
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict
        checksum = (file.metadata() or {}).get(CHECKSUM)
    with disk_errors("read", path):
        if checksum is not None and hashlib.sha256(_body(path.read_bytes())).hexdigest() != checksum:
            raise RunError(f"{path} is damaged: its checksum is not that of what it holds.")
    return tensors


def load_checksum(path: Path) -> str | None:
    """The checksum in the header of a safetensors file, where there is one. Raises RunError."""
    with _opened(path) as file:
        return (file.metadata() or {}).get(CHECKSUM)


def load_summary(path: Path) -> Summary:
    """The summary in the header of a model's weights; the tensors are not read. Raises RunError."""
    with _opened(path) as file:
        header = file.metadata() or {}
    try:
        return settings_from(Summary, json.loads(header["summary"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} has no summary of its training in its header: charrnn did not write it.") from error


def count_parameters(path: Path) -> int:
    """The trained numbers in a safetensors file, by its header. Raises RunError."""
    with _opened(path) as file:
        names = (name for name in file.keys() if name != SCALE)  # noqa: SIM118  # no dict
        return sum(math.prod(file.get_slice(name).get_shape()) for name in names)


def _with_summary(weights: Tensors, summary: Summary) -> bytes:
    return _with_checksum(weights, {"summary": json.dumps(dataclasses.asdict(summary))})


def _with_checksum(tensors: Tensors, metadata: dict[str, str]) -> bytes:
    """A safetensors file whose header has the SHA-256 of what follows it."""
    plain = save(dict(tensors))
    return save(dict(tensors), {**metadata, CHECKSUM: hashlib.sha256(_body(plain)).hexdigest()})


def _body(data: bytes) -> memoryview:
    """A safetensors file without its header, whose length the first 8 bytes give."""
    return memoryview(data)[8 + int.from_bytes(data[:8], "little") :]


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, "numpy")
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing.") from error
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
