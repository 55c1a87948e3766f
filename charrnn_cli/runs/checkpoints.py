"""The checkpoints of a run. Each is a folder with everything that resuming needs, and appears complete or not at all.

A checkpoint holds `model.safetensors` (the weights, with a `Summary` in the header), `training.safetensors` (optimizer
moments, hidden state, random generators) and `training.json` (numbers of the training loop). The weights of the best
checkpoint are also the model of the run: `model.safetensors` in its own folder.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.errors import UsageError, disk_errors
from charrnn_cli.files import file_exists, new_folder, read_json, remove_folder, temporary_beside, write_json
from charrnn_cli.runs.folders import Run, checkpoint_steps
from charrnn_cli.runs.weights import Summary, Tensors, load_summary, load_tensors, save_tensors, save_weights


@dataclass(frozen=True)
class Checkpoint:
    """The folder of one checkpoint."""

    folder: Path

    @property
    def step(self) -> int:
        """The number of optimizer updates before it was saved."""
        return int(self.folder.name.removeprefix("step-"))

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def tensors(self) -> Path:
        return self.folder / "training.safetensors"

    @property
    def numbers(self) -> Path:
        return self.folder / "training.json"

    def load(self) -> tuple[Tensors, Tensors, dict[str, Any]]:
        """The weights, the training tensors and the numbers of the training loop. Raises RunError."""
        return load_tensors(self.weights), load_tensors(self.tensors), read_json(self.numbers)


def checkpoint_at(run: Run, step: int) -> Checkpoint:
    """The checkpoint that a run has, or would have, at `step`."""
    return Checkpoint(run.checkpoint(step))


def checkpoints(run: Run) -> list[Checkpoint]:
    """The checkpoints of a run, in the order of their steps. Raises DiskError."""
    return [checkpoint_at(run, step) for step in checkpoint_steps(run)]


def find_checkpoint(run: Run, step: int) -> Checkpoint:
    """The checkpoint of a run at `step`. Raises UsageError if there is none."""
    steps = checkpoint_steps(run)
    if step not in steps:
        saved = ", ".join(map(str, steps)) or "none"
        raise UsageError(
            f"{run.name} has no `checkpoint={step}`. It has these checkpoints: {saved} (charrnn info {run.quoted})."
        )
    return checkpoint_at(run, step)


def save_checkpoint(
    run: Run, summary: Summary, weights: Tensors, tensors: Tensors, numbers: dict[str, Any], best_step: int
) -> None:
    """Writes a checkpoint, and makes the weights of step `best_step` the model of the run.

    Raises DiskError; everything saved before stays intact.
    """
    with new_folder(run.checkpoint(summary.step)) as folder:
        new = Checkpoint(folder)
        save_weights(new.weights, weights, summary)
        save_tensors(new.tensors, tensors)
        write_json(new.numbers, numbers)
    publish_best(run, best_step)


def drop_checkpoints(run: Run, keep: int, every: int | None, best_step: int) -> None:
    """Removes all checkpoints except the last `keep` regular ones, the best one and the latest one.

    A checkpoint is regular if its step is a multiple of `every`; if `every` is None, all are. Raises DiskError.
    """
    steps = checkpoint_steps(run)
    regular = [step for step in steps if every is None or step % every == 0]
    kept = {*regular[-keep:], best_step, steps[-1]}
    for step in steps:
        if step not in kept:
            remove_folder(run.checkpoint(step))


def publish_best(run: Run, best_step: int) -> None:
    """Makes the weights of the best checkpoint the model of the run, unless they are already. Raises DiskError.

    The model is a hard link to the checkpoint's file where the file system supports it, so it takes no extra space.
    """
    best = checkpoint_at(run, best_step).weights
    if not file_exists(best) or (run.trained and load_summary(run.weights).step == best_step):
        return
    temporary = temporary_beside(run.weights)
    with disk_errors("write", run.weights):
        temporary.unlink(missing_ok=True)
        try:
            os.link(best, temporary)
        except OSError:  # the file system has no hard links
            shutil.copyfile(best, temporary)
        temporary.replace(run.weights)
