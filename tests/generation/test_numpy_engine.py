from typing import get_args

import numpy as np
import pytest
import torch

from charrnn_cli.config import Cell, ModelSettings
from charrnn_cli.generation import numpy_engine
from charrnn_cli.generation.numpy_engine import NumpyEngine, rnn_cell, sigmoid
from charrnn_cli.generation.torch_engine import TorchEngine
from charrnn_cli.network.model import LanguageModel, get_weights

V = 9


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("hidden", "embedding", "tied"),
    [
        *((hidden, embedding, False) for hidden in (V, 12) for embedding in (0, 5, V, 12)),
        *((hidden, hidden, True) for hidden in (V, 12)),
    ],
)
@pytest.mark.parametrize(("residual", "norm"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("lookup", [0, numpy_engine.LOOKUP])
@pytest.mark.parametrize("streams", [1, 3])
def test_both_engines_compute_what_the_model_does(
    monkeypatch, cell, layers, embedding, tied, hidden, residual, norm, lookup, streams
):
    monkeypatch.setattr(numpy_engine, "LOOKUP", lookup)
    torch.manual_seed(0)
    settings = ModelSettings(cell, hidden, layers, embedding, 0.5, residual=residual, tie_weights=tied, layer_norm=norm)
    model = LanguageModel(settings, V).eval()
    random = np.random.default_rng(0)
    weights = {name: 3 * array + random.normal(0, 0.1, array.shape) for name, array in get_weights(model).items()}
    weights["head.scale"] = np.array([0.8])
    engines = [NumpyEngine(weights, settings), TorchEngine(weights, settings, torch.device("cpu"))]
    ids = np.random.default_rng(0).integers(V, size=(20, streams))
    results = []
    for engine in engines:
        state, logits = engine.start(streams), []
        for step in ids:
            out, state = engine.step(step, state)
            assert out.shape == (streams, V)
            logits.append(out)
        results.append(np.stack(logits))
    np.testing.assert_allclose(results[0], results[1], atol=5e-4)
    whole, _ = engines[1].model(torch.from_numpy(ids.T), engines[1].start(streams))
    np.testing.assert_allclose(results[1], whole.detach().numpy().transpose(1, 0, 2), atol=1e-4)


def test_the_plain_cell_stepped_by_hand():
    """The numbers of the tutorial that unrolls an RNN in NumPy, state and input weights stacked in one matrix there."""
    of_state = np.array([[0.1, 0.2], [0.3, 0.4]])  # applied as state @ of_state
    of_input, bias = np.array([[0.5, 0.6]]), np.array([0.1, -0.1])
    head, head_bias = np.array([[1.0], [2.0]]), 0.1
    state, outputs = (np.zeros((1, 2)),), []
    for x in (1.0, 2.0):
        state = rnn_cell(np.array([[x]]) @ of_input + bias, state[0] @ of_state, state, bias)
        outputs.append((state[0] @ head + head_bias).item())
    assert outputs == pytest.approx([1.561, 2.727], abs=5e-4)


def test_float16_weights_are_read():
    settings = ModelSettings(hidden=8, layers=1, embedding=4)
    weights = {name: array.astype(np.float16) for name, array in get_weights(LanguageModel(settings, V)).items()}
    engine = NumpyEngine(weights, settings)
    logits, _ = engine.step(np.array([1]), engine.start(1))
    assert logits.dtype == np.float32


def test_the_sigmoid_does_not_overflow():
    values = sigmoid(np.array([-1e30, -1.0, 0.0, 1.0, 1e30], np.float32))
    np.testing.assert_allclose(values, [0, 0.26894143, 0.5, 0.7310586, 1], rtol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_computes_the_same():
    settings = ModelSettings(hidden=32, layers=2, embedding=8)
    weights = get_weights(LanguageModel(settings, V))
    one, other = NumpyEngine(weights, settings), TorchEngine(weights, settings, torch.device("cuda"))
    ids = np.array([1, 2])
    np.testing.assert_allclose(one.step(ids, one.start(2))[0], other.step(ids, other.start(2))[0], atol=1e-3)
