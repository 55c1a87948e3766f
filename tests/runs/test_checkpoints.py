import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import DiskError, RunError, UsageError
from charrnn_cli.runs.checkpoints import (
    checkpoints,
    drop_checkpoints,
    early_steps,
    find_checkpoint,
    publish_best,
    save_checkpoint,
    weights_file,
)
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.weights import Summary, load_summary, load_tensors

SUMMARY = Summary(step=7, epoch=0.5, seconds=1.5, train_loss=2.0, valid_loss=None, when="2020-01-01T00:00:00+00:00")


def save(run: Run, step: int, best_step: int) -> None:
    weights = {"a": np.full(3, step, np.float32)}
    summary = dataclasses.replace(SUMMARY, step=step)
    save_checkpoint(run, summary, weights, {"state": -weights["a"]}, {"step": step}, best_step)


@pytest.fixture
def run(folder) -> Run:
    (folder / "checkpoints").mkdir()
    return Run(folder)


def steps(run: Run) -> list[int]:
    return [checkpoint.step for checkpoint in checkpoints(run)]


def test_a_checkpoint_has_weights_tensors_and_numbers(run):
    save(run, 12, best_step=12)
    weights, tensors, numbers = find_checkpoint(run, 12).load()
    assert weights["a"].tolist() == [12, 12, 12]
    assert tensors["state"].tolist() == [-12, -12, -12]
    assert numbers == {"step": 12}


def test_an_unknown_step_is_an_error_that_lists_the_known_ones(run):
    save(run, 9, best_step=9)
    save(run, 12, best_step=9)
    with pytest.raises(
        UsageError, match=r"no `checkpoint=8`. Pass first, last, best or one of these steps: 9, 12 \(charrnn info"
    ):
        find_checkpoint(run, 8)


def test_a_run_without_checkpoints_says_so(run):
    with pytest.raises(UsageError, match=r"has no checkpoints. Leave out `checkpoint`"):
        find_checkpoint(run, "first")


def test_checkpoints_have_names_too(run):
    for step in (9, 12, 15):
        save(run, step, best_step=12)
    found = {name: load_summary(weights_file(run, name)).step for name in ("first", "last", "best", None, 9, "15")}
    assert found == {"first": 9, "last": 15, "best": 12, None: 12, 9: 9, "15": 15}


def test_the_last_checkpoints_the_best_one_and_early_ones_are_kept(run):
    for step in range(1, 8):
        save(run, step, best_step=min(step, 3))
        drop_checkpoints(run, keep=2, early=True, every=None, best_step=min(step, 3))
    assert steps(run) == [1, 2, 3, 4, 6, 7]
    assert load_summary(run.weights).step == 3
    assert [path.name for path in run.checkpoints.iterdir() if path.name.startswith(".")] == []


def test_checkpoints_between_the_regular_ones_are_dropped_first(run):
    for step in (10, 13, 20, 27, 30, 33):
        save(run, step, best_step=27)
    drop_checkpoints(run, keep=2, early=True, every=10, best_step=27)
    assert steps(run) == [10, 20, 27, 30, 33]
    drop_checkpoints(run, keep=2, early=False, every=10, best_step=27)
    assert steps(run) == [20, 27, 30, 33]


@given(st.integers(1, 300), st.integers(20, 2000))
def test_early_checkpoints_stay_near_a_tenth_and_a_half_of_a_run_of_any_length(every, saves):
    kept = []
    for last in range(every, every * (saves + 1), every):
        kept = sorted({*early_steps([*kept, last]), last})
        assert len(kept) <= 7
    assert kept[0] == every
    shares = [step / last for step in kept]
    assert any(0.05 < share <= 0.25 for share in shares)
    assert any(0.3 < share < 0.7 for share in shares)


def test_the_best_weights_are_published_after_a_kill_prevented_it(run):
    save(run, 1, best_step=1)
    save(run, 2, best_step=1)
    publish_best(run, 2)
    assert load_summary(run.weights).step == 2
    assert load_tensors(run.weights)["a"].tolist() == [2, 2, 2]


def test_without_hard_links_the_best_weights_are_copied(run, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    save(run, 1, best_step=1)
    assert load_tensors(run.weights)["a"].tolist() == [1, 1, 1]


def test_a_damaged_part_of_a_checkpoint_is_an_error(run):
    save(run, 3, best_step=3)
    checkpoint = find_checkpoint(run, 3)
    checkpoint.numbers.write_text("{")
    with pytest.raises(RunError, match=r"training\.json is damaged"):
        checkpoint.load()


def test_a_failed_save_leaves_the_earlier_checkpoints(run, monkeypatch):
    save(run, 1, best_step=1)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="No space left"):
        save(run, 2, best_step=2)
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-00000001"]
    assert load_summary(run.weights).step == 1


def test_an_unreadable_folder_of_checkpoints_is_a_disk_error(run, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DiskError, match=r"cannot read .*checkpoints: Permission denied"):
        checkpoints(run)
