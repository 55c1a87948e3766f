"""The checkpoints of a run. Each is a folder with everything that resuming needs, and appears complete or not at all.

A checkpoint holds `model.safetensors` (the weights, with a `Summary` in the header), `training.safetensors` (optimizer
moments, hidden state, random generators) and `training.json` (numbers of the training loop). The weights of the best
checkpoint are also the model of the run: `model.safetensors` in its own folder.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.errors import UsageError, disk_errors
from charrnn_cli.files import file_exists, new_folder, read_json, remove_folder, temporary_beside, write_json
from charrnn_cli.runs.folders import CHECKPOINT_NAMES, Run, checkpoint_steps
from charrnn_cli.runs.weights import Summary, Tensors, load_summary, load_tensors, save_tensors, save_weights

EARLIEST_SHARE = 0.1  # of the steps of a run, after which more than the first checkpoint is kept


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


def find_checkpoint(run: Run, checkpoint: int | str) -> Checkpoint:
    """The checkpoint of a run at a step, or the one called "first" or "last". Raises UsageError if there is none."""
    steps = checkpoint_steps(run)
    if not steps:
        raise UsageError(f"{run.name} has no checkpoints. Leave out `checkpoint` to use its best weights.")
    by_name = {"first": steps[0], "last": steps[-1]} | {str(step): step for step in steps}
    if str(checkpoint) not in by_name:
        saved = ", ".join(map(str, steps))
        raise UsageError(
            f"{run.name} has no `checkpoint={checkpoint}`. Pass {', '.join(CHECKPOINT_NAMES)} or one of these steps: "
            f"{saved} (charrnn info {run.quoted})."
        )
    return checkpoint_at(run, by_name[str(checkpoint)])


def weights_file(run: Run, checkpoint: int | str | None) -> Path:
    """The weights of the checkpoint that `find_checkpoint` finds; None and "best" are the best weights of the run.

    Raises UsageError if the checkpoint does not exist.
    """
    if checkpoint is None or checkpoint == "best":
        return run.weights
    return find_checkpoint(run, checkpoint).weights


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


def drop_checkpoints(run: Run, keep: int, early: bool, every: int | None, best_step: int) -> None:
    """Removes all checkpoints except the last `keep` regular ones, the best one, the latest one and `early` ones.

    A checkpoint is regular if its step is a multiple of `every`; if `every` is None, all are. Raises DiskError.
    """
    steps = checkpoint_steps(run)
    regular = [step for step in steps if every is None or step % every == 0]
    kept = {*regular[-keep:], best_step, steps[-1]}
    if early:
        kept |= early_steps(steps)
    for step in steps:
        if step not in kept:
            remove_folder(run.checkpoint(step))


def early_steps(steps: Sequence[int]) -> set[int]:
    """The steps of the checkpoints that show how a model learned: at most six of them.

    They are the first one, and the first one in each range [2^n, 2^(n+1)) that ends after a tenth of the last step. So
    there is one near 10 % and one near 50 % of the steps so far, however long the run will become.
    """
    earliest: dict[int, int] = {}
    for step in sorted(steps):
        bits = step.bit_length()
        if 2**bits > EARLIEST_SHARE * steps[-1]:
            earliest.setdefault(bits, step)
    return {steps[0], *earliest.values()}


def publish_best(run: Run, best_step: int) -> None:
    """Makes the weights of the best checkpoint the model of the run, unless they are already. Raises DiskError.

    The model is a hard link to the checkpoint's file where the file system supports it, so it takes no extra space.
    """
    best = checkpoint_at(run, best_step).weights
    if not file_exists(best) or (run.trained and load_summary(run.weights).step == best_step):
        return
    with disk_errors("write", run.weights), temporary_beside(run.weights) as temporary:
        try:
            os.link(best, temporary)
        except OSError:  # the file system has no hard links
            shutil.copyfile(best, temporary)
        temporary.replace(run.weights)
