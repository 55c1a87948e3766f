import dataclasses

import pytest
import torch
from support import prepare_text

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError, UsageError
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


def test_a_prepared_text_without_weights(folder):
    run = prepare_text(folder, "abc" * 50)
    with pytest.raises(RunError, match=r"config\.json"):
        load_model(run)
