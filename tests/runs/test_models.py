import dataclasses
import json

import pytest
import torch
from support import prepare_text

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.checkpoints import Config, Summary, save_checkpoint, save_model
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import load_model
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8)
SUMMARY = Summary(1, 0.1, 1.0, 2.0, 2.0, "2020-01-01T00:00:00+00:00")
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))


def weights(size: int, seed: int = 0):
    torch.manual_seed(seed)
    return get_weights(LanguageModel(SETTINGS, size))


@pytest.fixture
def model(folder) -> Run:
    run = Run(folder / "model")
    run.folder.mkdir()
    ABC.save(run.vocabulary)
    Config(SETTINGS, TrainingSettings(steps=1), "auto", "CPU", "", {}).save(run.config)
    save_model(run.weights, weights(len(ABC)), SUMMARY)
    return run


def test_a_model_and_its_earlier_checkpoints_are_loaded(model):
    assert load_model(model).summary == SUMMARY
    save_checkpoint(model, dataclasses.replace(SUMMARY, step=9), weights(len(ABC), seed=1), {}, {}, 9)
    earlier = load_model(model, step=9)
    assert earlier.summary.step == 9
    with pytest.raises(UsageError, match=r"--checkpoint 8: model has the checkpoints 9"):
        load_model(model, step=8)


def test_weights_of_another_model_are_refused(model):
    record = json.loads(model.config.read_text())
    record["model"]["hidden"] = 17
    model.config.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"head\.weight is \(28, 16\), not \(28, 17\)"):
        load_model(model)


def test_a_vocabulary_that_lost_a_token_is_refused(model):
    Vocabulary("char", ABC.tokens[:-1]).save(model.vocabulary)
    with pytest.raises(RunError, match="does not fit"):
        load_model(model)


def test_a_prepared_text_without_weights(folder):
    run = prepare_text(folder, "abc" * 50)
    with pytest.raises(RunError, match=r"config\.json"):
        load_model(run)


def test_engines_by_name(model, monkeypatch):
    loaded = load_model(model)
    assert load_engine(loaded).name == "ONNX Runtime, 8 bits"
    assert load_engine(loaded, "numpy").name == "NumPy"
    assert load_engine(loaded, "torch").name == "torch on cpu"
    with pytest.raises(UsageError, match="--engine numpy computes on the CPU"):
        load_engine(loaded, "numpy", gpu=True)
    monkeypatch.setattr("charrnn_cli.generation.engines.find_spec", lambda name: None)
    assert load_engine(loaded).name == "NumPy"
    with pytest.raises(UsageError, match="pip install onnxruntime onnx"):
        load_engine(loaded, "onnx")
