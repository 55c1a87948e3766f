import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation import numpy_engine
from charrnn_cli.generation.engine import Sampler
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_cells import ONNX_STEPS
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.sampling import log_probabilities, probabilities
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights

V = 9


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("hidden", "embedding", "tied"), [(32, 0, False), (32, 8, False), (V, 0, False), (32, 32, True)]
)
@pytest.mark.parametrize(("residual", "norm"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("largest_table", [0, numpy_engine.LARGEST_TABLE])
def test_8_bits_are_close_to_32(monkeypatch, cell, hidden, embedding, tied, residual, norm, largest_table):
    monkeypatch.setattr(numpy_engine, "LARGEST_TABLE", largest_table)
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


def test_a_text_does_not_depend_on_the_texts_beside_it():
    settings = ModelSettings(hidden=64, layers=2, embedding=8, layer_norm=True)
    weights = get_weights(LanguageModel(settings, V))
    ids = np.random.default_rng(0).integers(V, size=(30, 40))
    alone, together = OnnxEngine(weights, settings), OnnxEngine(weights, settings)
    states = [alone.start(1), together.start(40)]
    for step in ids:
        one, states[0] = alone.step(step[:1], states[0])
        many, states[1] = together.step(step, states[1])
        np.testing.assert_array_equal(one[0], many[0])


def small_engine(cell="lstm", bias=0.0):
    """An engine of 9 tokens with rather confident predictions."""
    torch.manual_seed(1)
    settings = ModelSettings(cell, hidden=32, layers=2, embedding=8, layer_norm=True)
    weights = get_weights(LanguageModel(settings, V))
    weights["head.weight"] = weights["head.weight"] * 4
    weights["head.bias"] = weights["head.bias"] + np.float32(bias)
    return OnnxEngine(weights, settings)


FILTERS = [
    {},
    {"temperature": 1.0, "top_p": 1.0},
    {"temperature": 0.0},
    {"temperature": 1e-9},
    {"top_n": 1},
    {"top_n": 4, "top_p": 1.0, "temperature": 1.3},
    {"top_n": 7, "top_p": 0.6},
    {"min_p": 0.2, "top_p": 1.0},
    {"min_p": 0.05, "top_p": 0.7, "temperature": 2.0},
]


@pytest.mark.parametrize("settings", FILTERS, ids=str)
@pytest.mark.parametrize("banned", [[], [0, 3, 5]])
def test_the_graph_draws_with_the_probabilities_that_the_filters_leave(settings, banned):
    engine, draws = small_engine(), 4000
    allowed = np.ones(V, bool)
    allowed[banned] = False
    sampler = Sampler(SamplingSettings(**settings), allowed, scored=True)
    ids, state = np.array([2]), engine.start(1)
    logits, _ = engine.step(ids, state)
    left = logits.astype(np.float64)
    for filter in sampler.filters:
        left = filter(left, np.zeros((1, 0), int))
    uniforms = ((np.arange(draws) + 0.5) / draws)[:, None]
    block = engine.write(ids.repeat(draws), engine.repeat(state, draws), np.zeros((draws, 0), int), uniforms, sampler)
    shares = np.bincount(block.ids[:, 0], minlength=V) / draws
    np.testing.assert_allclose(shares, probabilities(left)[0], atol=1.5 / draws)
    expected = log_probabilities(logits.repeat(draws, axis=0).astype(np.float64), block.ids[:, 0])
    np.testing.assert_allclose(block.scores[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_graph_writes_the_same_as_single_steps(cell):
    engine = small_engine(cell)
    greedy = Sampler(SamplingSettings(temperature=0), np.ones(V, bool))
    block = engine.write(np.array([2, 5]), engine.start(2), np.zeros((2, 0), int), np.zeros((2, 30)), greedy)
    ids, state = np.array([2, 5]), engine.start(2)
    for t in range(30):
        logits, state = engine.step(ids, state)
        ids = logits.argmax(axis=1)
        assert block.ids[:, t].tolist() == ids.tolist()
    for ours, theirs in zip(block.state.parts, state.parts, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_largest_random_number_draws_a_token_of_the_vocabulary():
    engine = small_engine()
    sampler = Sampler(SamplingSettings(top_n=3), np.ones(V, bool))
    below = np.full((500, 20), np.nextafter(1.0, 0.0))
    block = engine.write(np.arange(500) % V, engine.start(500), np.zeros((500, 0), int), below, sampler)
    assert ((block.ids >= 0) & (block.ids < V)).all()


def test_nan_in_the_weights_is_an_error():
    engine = small_engine(bias=np.nan)
    sampler = Sampler(SamplingSettings(), np.ones(V, bool))
    with pytest.raises(RunError, match="NaN"):
        engine.write(np.array([1]), engine.start(1), np.zeros((1, 0), int), np.zeros((1, 4)), sampler)


def test_a_cell_without_a_step_is_refused(monkeypatch):
    settings = ModelSettings("gru", hidden=8, layers=1, embedding=4)
    weights = get_weights(LanguageModel(settings, V))
    monkeypatch.delitem(ONNX_STEPS, "gru")
    with pytest.raises(UsageError, match="`engine=onnx` cannot compute the cell 'gru'"):
        OnnxEngine(weights, settings)


def test_groups_are_as_few_as_possible():
    engine = small_engine()
    assert engine.groups(3) == [3]
    assert engine.groups(256) == [256]
    assert engine.groups(600) == [256, 256, 88]
    assert engine.tokens_at_once(1) == engine.tokens_at_once(9) > 1
