import dataclasses

import numpy as np
import pytest

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.runs.checkpoints import (
    Config,
    Summary,
    checkpoints,
    count_parameters,
    drop_checkpoints,
    load_summary,
    load_tensors,
    publish_best,
    save_checkpoint,
    save_model,
)
from charrnn_cli.runs.folders import Run

SUMMARY = Summary(step=7, epoch=0.5, seconds=1.5, train_loss=2.0, valid_loss=None, when="2020-01-01T00:00:00+00:00")
WEIGHTS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float16)}


def save(run: Run, step: int, best_step: int) -> None:
    weights = {"a": np.full(3, step, np.float32)}
    save_checkpoint(run, dataclasses.replace(SUMMARY, step=step), weights, {}, {"step": step}, best_step)


@pytest.fixture
def run(folder) -> Run:
    (folder / "checkpoints").mkdir()
    return Run(folder)


def test_weights_and_their_summary_come_back(folder):
    save_model(folder / "w", WEIGHTS, SUMMARY)
    loaded = load_tensors(folder / "w")
    assert {name: (array.dtype, array.tolist()) for name, array in loaded.items()} == {
        name: (array.dtype, array.tolist()) for name, array in WEIGHTS.items()
    }
    assert load_summary(folder / "w") == SUMMARY
    assert count_parameters(folder / "w") == 10


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "])
def test_damaged_weights_are_named(folder, data):
    (folder / "w").write_bytes(data)
    with pytest.raises(RunError, match=r"w (is damaged|has no summary)"):
        load_summary(folder / "w")


def test_missing_weights_are_named(folder):
    with pytest.raises(RunError, match="w is missing"):
        load_tensors(folder / "w")


def test_the_last_ones_are_kept_and_always_the_best(run):
    for step in range(1, 8):
        save(run, step, best_step=min(step, 3))
        drop_checkpoints(run, keep=2, every=None, best_step=min(step, 3))
    assert [checkpoint.step for checkpoint in checkpoints(run)] == [3, 6, 7]
    assert load_summary(run.weights).step == 3
    assert [path.name for path in run.checkpoints.iterdir() if path.name.startswith(".")] == []


def test_those_between_the_regular_ones_go_first(run):
    for step in (10, 13, 20, 27, 30, 33):
        save(run, step, best_step=27)
    drop_checkpoints(run, keep=2, every=10, best_step=27)
    assert [checkpoint.step for checkpoint in checkpoints(run)] == [20, 27, 30, 33]


def test_the_best_is_published_again_where_a_kill_prevented_it(run):
    save(run, 1, best_step=1)
    save(run, 2, best_step=1)
    publish_best(run, 2)
    assert load_summary(run.weights).step == 2
    assert load_tensors(run.weights)["a"].tolist() == [2, 2, 2]


def test_config_survives_its_file_and_damage_is_named(folder):
    config = Config(ModelSettings(hidden=3), TrainingSettings(steps=5), "auto", "CPU", "0" * 64, {"charrnn": "1"})
    config.save(folder / "config.json")
    assert Config.load(folder / "config.json") == config
    (folder / "config.json").write_text('{"model": {"hidden": -1}, "training": {}}')
    with pytest.raises(RunError, match=r"config\.json is damaged.*-1"):
        Config.load(folder / "config.json")
