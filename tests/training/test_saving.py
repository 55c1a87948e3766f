import shutil

import pytest
import torch
from support import TEXT

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import CharrnnError, DiskError
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.weights import load_summary
from charrnn_cli.training.saving import recover, write_checkpoint
from charrnn_cli.training.state import TrainingState

SETTINGS = TrainingSettings(steps=9, batch_size=3, learning_rate=0.8, keep=2)


@pytest.fixture
def state(fox):
    fox.checkpoints.mkdir()
    model = ModelSettings(hidden=6, layers=1, embedding=4)
    return TrainingState.start(model, SETTINGS, len(set(TEXT)), torch.device("cpu"))


def test_the_last_checkpoints_the_best_and_early_ones_are_kept(fox, state):
    state.counters.best_loss, state.counters.best_step = 1.0, 1
    for state.counters.step in range(1, 8):
        write_checkpoint(fox, SETTINGS, state, epoch=0.0)
    assert [checkpoint.step for checkpoint in checkpoints(fox)] == [1, 2, 4, 6, 7]
    assert load_summary(fox.weights).step == 1


def test_without_a_validation_the_latest_is_the_best(fox, state):
    for state.counters.step in (1, 2):
        write_checkpoint(fox, SETTINGS, state, epoch=0.0)
        assert load_summary(fox.weights).step == state.counters.step


def test_a_run_that_was_moved_is_not_made_again(fox, state):
    shutil.rmtree(fox.folder)
    with pytest.raises(DiskError, match="the folder is gone"):
        write_checkpoint(fox, SETTINGS, state, epoch=0.0)
    assert not fox.folder.exists()


def test_recovery_returns_to_the_checkpoint_and_keeps_time_and_skipped_steps(fox, state):
    state.counters.step = 4
    write_checkpoint(fox, SETTINGS, state, epoch=0.0)
    state.counters.step, state.counters.seconds, state.counters.skipped, state.counters.skipped_in_row = 9, 60.0, 5, 5
    recovery = recover(fox, SETTINGS, state)
    assert (recovery.step, recovery.exploded, recovery.recoveries, recovery.seconds) == (4, 9, 1, 60.0)
    counters = state.counters
    assert (counters.step, counters.seconds, counters.skipped, counters.skipped_in_row) == (4, 60.0, 5, 0)
    assert counters.recoveries == 1


def test_it_gives_up_after_some_recoveries(fox, state):
    for expected in (1, 2, 3):
        assert recover(fox, SETTINGS, state).recoveries == expected
    with pytest.raises(CharrnnError, match=r"`restart=True` and `learning_rate=0.05`"):
        recover(fox, SETTINGS, state)
