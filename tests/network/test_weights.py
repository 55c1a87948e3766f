import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.network.weights import load_checked_model, weight_shapes
from charrnn_cli.runs.checkpoints import save_checkpoint
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.weights import Summary, save_weights
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
    save_weights(run.weights, weights(len(ABC)), SUMMARY)
    return run


def change_config(model: Run, **settings):
    record = json.loads(model.config.read_text())
    record["model"].update(settings)
    model.config.write_text(json.dumps(record))


def test_a_model_and_its_earlier_checkpoints_load(model):
    assert load_checked_model(model).summary == SUMMARY
    save_checkpoint(model, dataclasses.replace(SUMMARY, step=9), weights(len(ABC), seed=1), {}, {}, 9)
    assert load_checked_model(model, checkpoint=9).summary.step == 9
    with pytest.raises(UsageError, match="8"):
        load_checked_model(model, checkpoint=8)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", [0, 8, 16])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_shapes_are_those_of_the_network(cell, embedding, layer_norm):
    for tied in {False, embedding == 16}:
        settings = ModelSettings(cell, 16, 2, embedding, layer_norm=layer_norm, tie_weights=tied)
        found = {name: array.shape for name, array in get_weights(LanguageModel(settings, 11)).items()}
        assert weight_shapes(settings, 11) == found


def test_weights_of_another_model_are_refused(model):
    change_config(model, hidden=17)
    with pytest.raises(RunError, match=r"model\.safetensors.*head\.weight is \(28, 16\), not \(28, 17\)"):
        load_checked_model(model)


def test_a_missing_weight_is_named(model):
    change_config(model, layers=3)
    with pytest.raises(RunError, match=r"rnn\.weight_ih_l2 is missing"):
        load_checked_model(model)


def test_a_vocabulary_without_one_of_the_tokens_is_refused(model):
    Vocabulary("char", ABC.tokens[:-1]).save(model.vocabulary)
    with pytest.raises(RunError, match="does not fit"):
        load_checked_model(model)


def test_weights_that_are_not_finite_are_refused(model):
    broken = weights(len(ABC))
    broken["head.bias"] = np.full(len(ABC), np.nan, np.float32)
    save_weights(model.weights, broken, SUMMARY)
    with pytest.raises(RunError, match=r"head\.bias has values that are not finite"):
        load_checked_model(model)


def test_an_unknown_cell_in_config_json_is_an_error_of_that_file(model):
    change_config(model, cell="foo")
    with pytest.raises(RunError, match=r"config\.json.*`cell` must be lstm, gru.* or \w+, got 'foo'"):
        load_checked_model(model)


def test_loading_does_not_import_torch():
    code = "import sys, charrnn_cli.network.weights; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
