import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from support import prepare_text

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.runs.checkpoints import find_checkpoint, save_checkpoint
from charrnn_cli.runs.describe import DamagedRun, describe, describe_all
from charrnn_cli.runs.folders import Run, bundled_models
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import Vocabulary

SUMMARY = Summary(step=1, epoch=0.5, seconds=1.5, train_loss=2.0, valid_loss=2.0, when="2020-01-01T00:00:00+00:00")


@pytest.fixture
def run(folder) -> Run:
    """A run of 1,000 characters with checkpoints at steps 1 and 2; the first one is the best."""
    run = prepare_text(folder, "0123456789" * 100, name="digits")
    Config(ModelSettings(), TrainingSettings(steps=2), "auto", "CPU", "0" * 64, {}).save(run.config)
    for step in (1, 2):
        save_checkpoint(
            run, dataclasses.replace(SUMMARY, step=step), {"a": np.ones(7, np.float32)}, {"b": np.ones(1)}, {}, 1
        )
    return run


def test_a_prepared_text_has_no_model_yet(fox):
    description = describe(fox)
    assert [Path(file).name for file in description.corpus.files] == ["fox.txt"]
    assert description.config is description.best is description.parameters is None
    assert description.checkpoints == description.damaged == []
    assert description.valid_bits_per_character is None


def test_a_trained_run_has_a_model_and_checkpoints(run):
    description = describe(run)
    assert [summary.step for summary in description.checkpoints] == [1, 2]
    assert (description.best.step, description.parameters) == (1, 7)
    assert description.config.training.steps == 2
    record = json.loads(json.dumps(description.record()))
    assert (record["name"], record["level"], record["vocabulary"]) == ("digits", "char", 10)
    assert record["best"]["valid_loss"] == 2.0
    assert record["corpus"]["tokens"]["valid"] == description.corpus.tokens["valid"]


def test_bits_per_character_count_the_predicted_tokens(run):
    description = describe(run)
    characters = description.corpus.characters["valid"]
    nats = 2.0 * (description.corpus.tokens["valid"] - 1)
    assert description.valid_bits_per_character == pytest.approx(nats / math.log(2) / characters)
    not_counted = dataclasses.replace(description.corpus, characters={})
    without = dataclasses.replace(description, corpus=not_counted)
    assert without.valid_bits_per_character == pytest.approx(2.0 / math.log(2))  # a token is a character
    words = dataclasses.replace(without, vocabulary=Vocabulary("word", ("a", "b")))
    assert words.valid_bits_per_character is None
    not_measured = dataclasses.replace(SUMMARY, valid_loss=None)
    assert dataclasses.replace(description, best=not_measured).valid_bits_per_character is None


def test_bundled_models_have_bits_per_character():
    bits = {model.run.name: model.valid_bits_per_character for model in map(describe, bundled_models())}
    assert bits["anna"] == pytest.approx(1.4225, abs=0.001)
    assert bits["shakespeare-char"] == pytest.approx(1.819, abs=0.001)
    assert bits["shakespeare"] == pytest.approx(1.609, abs=0.001)


def test_a_damaged_checkpoint_is_reported_beside_the_others(run):
    find_checkpoint(run, 2).weights.write_bytes(b"x")
    description = describe(run)
    assert [summary.step for summary in description.checkpoints] == [1]
    assert len(description.damaged) == 1
    assert "step-00000002" in description.damaged[0]


def test_any_other_damage_is_an_error(run):
    run.config.write_text("{")
    with pytest.raises(RunError, match=r"config\.json is damaged"):
        describe(run)


def test_a_damaged_run_is_listed_with_the_others(run, fox):
    fox.vocabulary.write_text("{")
    digits, damaged, *bundled = describe_all()
    assert digits == describe(run)
    assert isinstance(damaged, DamagedRun)
    assert damaged.record().keys() == {"name", "folder", "error"}
    assert "vocabulary.json is damaged" in damaged.error
    assert "anna" in [model.run.name for model in bundled]


@pytest.mark.parametrize("file", ["vocabulary.json", "config.json", "corpus/corpus.json", "checkpoints/pipe"])
def test_a_run_with_a_named_pipe_does_not_hide_the_others(run, fox, file):
    path = run.folder / file
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert {"digits", "fox", "anna"} <= {description.run.name for description in describe_all()}


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "training.json"])
def test_a_named_pipe_in_a_checkpoint_is_reported_without_waiting(run, name):
    path = run.checkpoint(2) / name
    path.unlink()
    os.mkfifo(path)
    assert len(describe(run).damaged) == (name == "model.safetensors")
    with pytest.raises(RunError, match=rf"{name} is damaged: it is not a regular file"):
        find_checkpoint(run, 2).load()


def test_an_unreadable_run_is_listed_with_the_others(run, fox, monkeypatch):
    lstat = Path.lstat

    def refused(path):
        if "digits" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", refused)
    (broken,) = (one for one in describe_all() if one.run.name == "digits")
    assert isinstance(broken, DamagedRun)
    assert "Permission denied" in broken.error
