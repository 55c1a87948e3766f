from typing import get_args

import numpy as np
import pytest
import torch

from charrnn_cli.config import Cell, ModelSettings
from charrnn_cli.generation import numpy_engine
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.training.model import LanguageModel, get_weights

V = 9


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize(
    ("hidden", "embedding", "tied"), [(32, 0, False), (32, 8, False), (V, 0, False), (32, 32, True)]
)
@pytest.mark.parametrize(("residual", "norm"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("lookup", [0, numpy_engine.LOOKUP])
def test_8_bits_are_close_to_32(monkeypatch, cell, hidden, embedding, tied, residual, norm, lookup):
    monkeypatch.setattr(numpy_engine, "LOOKUP", lookup)
    torch.manual_seed(0)
    settings = ModelSettings(cell, hidden, 2, embedding, residual=residual, tie_weights=tied, layer_norm=norm)
    weights = {name: 2 * array for name, array in get_weights(LanguageModel(settings, V)).items()}
    ids = np.random.default_rng(0).integers(V, size=(40, 2))
    results = []
    for engine in (NumpyEngine(weights, settings), OnnxEngine(weights, settings)):
        state, logits = engine.start(2), []
        for step in ids:
            out, state = engine.step(step, state)
            logits.append(out)
        results.append(np.stack(logits))
    exact, rounded = results
    assert np.abs(rounded - exact).mean() < 0.05 * exact.std()


def test_a_text_does_not_depend_on_the_others():
    settings = ModelSettings(hidden=64, layers=2, embedding=8, layer_norm=True)
    weights = get_weights(LanguageModel(settings, V))
    ids = np.random.default_rng(0).integers(V, size=(30, 40))
    alone, together = OnnxEngine(weights, settings), OnnxEngine(weights, settings)
    states = [alone.start(1), together.start(40)]
    for step in ids:
        one, states[0] = alone.step(step[:1], states[0])
        many, states[1] = together.step(step, states[1])
        np.testing.assert_array_equal(one[0], many[0])
