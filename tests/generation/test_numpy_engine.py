import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation import numpy_engine
from charrnn_cli.generation.numpy_cells import NUMPY_STEPS
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.torch_engine import TorchEngine
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights

V = 9


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("hidden", "embedding", "tied"),
    [
        *((hidden, embedding, False) for hidden in (V, 12) for embedding in (0, 5, V, 12)),
        *((hidden, hidden, True) for hidden in (V, 12)),
    ],
)
@pytest.mark.parametrize(("residual", "norm"), [(False, False), (True, False), (True, True)])
def test_numpy_and_torch_compute_the_same_as_the_model(
    monkeypatch, cell, layers, embedding, tied, hidden, residual, norm
):
    torch.manual_seed(0)
    settings = ModelSettings(cell, hidden, layers, embedding, 0.5, residual=residual, tie_weights=tied, layer_norm=norm)
    model = LanguageModel(settings, V).eval()
    random = np.random.default_rng(0)
    weights = {name: 3 * array + random.normal(0, 0.1, array.shape) for name, array in get_weights(model).items()}
    weights["head.scale"] = np.array([0.8])
    by_torch = TorchEngine(weights, settings, torch.device("cpu"))
    with_table = NumpyEngine(weights, settings)
    monkeypatch.setattr(numpy_engine, "LARGEST_TABLE", 0)
    without_table = NumpyEngine(weights, settings)
    for streams in (1, 3):
        ids = np.random.default_rng(0).integers(V, size=(20, streams))
        expected = step_by_step(by_torch, ids)
        for engine in (with_table, without_table):
            np.testing.assert_allclose(step_by_step(engine, ids), expected, atol=5e-4)
        whole, _ = by_torch.model(torch.from_numpy(ids.T), by_torch.start(streams))
        np.testing.assert_allclose(expected, whole.detach().numpy().transpose(1, 0, 2), atol=1e-4)


def step_by_step(engine, ids):
    """The logits after each step (T, B, V)."""
    state, logits = engine.start(ids.shape[1]), []
    for step in ids:
        out, state = engine.step(step, state)
        assert out.shape == (len(step), V)
        logits.append(out)
    return np.stack(logits)


def test_float16_weights_are_read():
    settings = ModelSettings(hidden=8, layers=1, embedding=4)
    weights = {name: array.astype(np.float16) for name, array in get_weights(LanguageModel(settings, V)).items()}
    engine = NumpyEngine(weights, settings)
    logits, _ = engine.step(np.array([1]), engine.start(1))
    assert logits.dtype == np.float32


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_of_one_text_is_repeated_for_several(cell):
    settings = ModelSettings(cell, hidden=8, layers=2, embedding=4)
    engine = NumpyEngine(get_weights(LanguageModel(settings, V)), settings)
    _, state = engine.step(np.array([3]), engine.start(1))
    one, _ = engine.step(np.array([1]), state)
    several, _ = engine.step(np.array([1, 1, 1]), engine.repeat(state, 3))
    np.testing.assert_allclose(several, one.repeat(3, axis=0), atol=1e-6)


def test_a_cell_without_a_step_is_refused(monkeypatch):
    settings = ModelSettings("gru", hidden=8, layers=1, embedding=4)
    weights = get_weights(LanguageModel(settings, V))
    monkeypatch.delitem(NUMPY_STEPS, "gru")
    with pytest.raises(UsageError, match="`engine=numpy` cannot compute the cell 'gru'"):
        NumpyEngine(weights, settings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_computes_the_same():
    settings = ModelSettings(hidden=32, layers=2, embedding=8)
    weights = get_weights(LanguageModel(settings, V))
    one, other = NumpyEngine(weights, settings), TorchEngine(weights, settings, torch.device("cuda"))
    ids = np.array([1, 2])
    np.testing.assert_allclose(one.step(ids, one.start(2))[0], other.step(ids, other.start(2))[0], atol=1e-3)


def test_the_load_of_the_machine_does_not_change_what_a_seed_writes():
    settings = ModelSettings(hidden=12, layers=1, embedding=5)
    engine = NumpyEngine(get_weights(LanguageModel(settings, V)), settings)
    assert engine.threads.most == 1  # the number of threads stays as it is
