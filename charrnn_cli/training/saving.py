"""Saves the state of training, and returns to a saved state after training diverged."""

import dataclasses

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import CharrnnError, DiskError
from charrnn_cli.files import folder_exists
from charrnn_cli.runs.checkpoints import checkpoints, drop_checkpoints, save_checkpoint
from charrnn_cli.runs.folders import Run
from charrnn_cli.training.events import Recovery
from charrnn_cli.training.state import TrainingState

MOST_RECOVERIES = 3


def write_checkpoint(run: Run, settings: TrainingSettings, state: TrainingState, epoch: float) -> None:
    """Writes a checkpoint, on the first rank, and removes old ones. All ranks must call it. Raises DiskError."""
    counters = state.counters
    if counters.best_loss is None:  # nothing was validated: the latest weights count as the best
        counters.best_step = counters.step
    weights, tensors, record = state.dump()
    if not state.ranks.first:
        return
    if not folder_exists(run.checkpoints):  # making the folder again would not restore the rest of the run
        raise DiskError(f"cannot write {run.checkpoints}: the folder is gone. If you moved the run, resume it there.")
    save_checkpoint(run, state.summary(epoch), weights, tensors, record, counters.best_step)
    drop_checkpoints(run, settings.keep, settings.keep_early, settings.checkpoint_every, counters.best_step)


def recover(run: Run, settings: TrainingSettings, state: TrainingState) -> Recovery:
    """Returns to the last checkpoint, or to the start if there is none, with half the learning rate.

    The time already spent still counts. Raises CharrnnError if several recoveries did not help.
    """
    diverged = state.counters
    recoveries = diverged.recoveries + 1
    if recoveries > MOST_RECOVERIES:
        raise CharrnnError(
            f"training diverged at step {diverged.step:,}, and halving the learning rate {MOST_RECOVERIES} times did "
            "not help. The earlier checkpoints are intact. To start over with a lower rate, pass `restart=True` and "
            f"`learning_rate={settings.learning_rate / 2**recoveries:.1g}`."
        )
    saved = checkpoints(run)
    if saved:
        state.restore(saved[-1])
    else:
        state.start_over(settings)
    state.counters = dataclasses.replace(
        state.counters, recoveries=recoveries, skipped=diverged.skipped, skipped_in_row=0, seconds=diverged.seconds
    )
    state.tally.zero_()
    return Recovery(state.counters.step, diverged.step, recoveries, diverged.seconds)
