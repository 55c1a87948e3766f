"""Runs of release 0.1 load, and resume with the same result as in release 0.1."""

import json
import shutil
from pathlib import Path

import pytest
from support import charrnn

from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import RUNS, Run
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.training import evaluation

OLD = Path(__file__).parent.parent / "data" / "release-0.1"
EXPECTED = json.loads((OLD / "expected.json").read_text("utf-8"))


@pytest.fixture(params=EXPECTED)
def old_run(folder, request) -> Run:
    shutil.copytree(OLD / request.param, RUNS / request.param)
    return Run(RUNS / request.param)


def test_every_file_is_valid(old_run):
    result = charrnn("info", old_run.name, "--verify")
    assert result.exit_code == 0, result.stdout
    assert "corpus.json" in result.stdout
    assert "step-00000020" in result.stdout


def test_a_model_knows_how_its_text_was_read(old_run):
    settings = load_model(old_run).text
    assert (settings.level, settings.documents) == (("word", "line") if old_run.name == "words" else ("char", None))
    shutil.rmtree(old_run.corpus)
    settings = load_model(old_run).text
    assert (settings.level, settings.documents) == (("word", "file") if old_run.name == "words" else ("char", None))


def test_the_model_writes_the_same_text(old_run):
    result = charrnn("sample", "--model", old_run.name, "--seed", "1", "--engine", "numpy", "--length", "100")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == EXPECTED[old_run.name]["sample"] + "\n"


def test_training_resumes_and_ends_with_the_same_loss(old_run, monkeypatch):
    monkeypatch.setattr(evaluation, "LEAST_CALIBRATION", 0)  # release 0.1 reported the calibrated loss of every text
    result = charrnn("train", old_run.name, "--cpu", "--no-preview", "--steps", "40")
    assert result.exit_code == 0, result.stderr
    assert "from step 20" in result.stderr
    assert checkpoints(old_run)[-1].step == 40
    assert Config.load(old_run.config).text == load_model(old_run).text
    losses = [record["valid_loss"] for record in read_log(old_run.log) if record["kind"] == "validation"]
    expected = EXPECTED[old_run.name]["valid_loss"]
    assert losses[-1] == pytest.approx(expected, abs=1e-5)  # other processors round differently
