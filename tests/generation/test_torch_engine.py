import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation import sampling, torch_engine
from charrnn_cli.generation.engine import Sampler
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.torch_engine import TorchEngine, filtered
from charrnn_cli.network.model import LanguageModel, get_weights

V = 9
CPU = torch.device("cpu")
SETTINGS = ModelSettings(hidden=32, layers=2, embedding=8)
FILTERS = [
    {},
    {"temperature": 0.0},
    {"temperature": 1.3, "top_p": 1.0},
    {"top_n": 4, "top_p": 1.0},
    {"top_n": 100, "top_p": 0.6},
    {"min_p": 0.2, "top_p": 1.0},
    {"repetition_penalty": 1.4},
    {"repetition_penalty": 0.5, "temperature": 0.0},
]


def weights():
    torch.manual_seed(0)
    return {name: 3 * array for name, array in get_weights(LanguageModel(SETTINGS, V)).items()}


def sampler(banned=(), scored=False, **settings) -> Sampler:
    allowed = np.ones(V, bool)
    allowed[list(banned)] = False
    return Sampler(SamplingSettings(**settings), allowed, scored)


@pytest.mark.parametrize("settings", FILTERS, ids=str)
@pytest.mark.parametrize("banned", [(), (1, 4)])
def test_the_filters_leave_the_same_as_those_in_numpy(settings, banned):
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (6, V)).round(1)  # rounded, so that some are equal
    recent = random.integers(-1, V, (6, 3))
    drawn = sampler(banned, **settings)
    expected = logits
    for filter in drawn.filters:
        expected = filter(expected, recent)
    found = filtered(torch.from_numpy(logits), torch.from_numpy(recent), drawn, torch.from_numpy(drawn.allowed))
    np.testing.assert_allclose(
        sampling.probabilities(found.numpy()), sampling.probabilities(expected), atol=1e-12, err_msg=str(settings)
    )


def test_the_draw_is_the_same_as_in_numpy():
    random = np.random.default_rng(0)
    logits, uniforms = random.normal(0, 2, (500, V)), random.random(500)
    logits -= logits.max(axis=1, keepdims=True)
    uniforms[:2] = 0.0, np.nextafter(1.0, 0.0)
    found = torch_engine.draw(torch.from_numpy(logits), torch.from_numpy(uniforms))
    assert found.tolist() == sampling.draw(logits, uniforms).tolist()


@pytest.mark.parametrize("settings", FILTERS, ids=str)
def test_the_fused_path_writes_the_same_as_steps_and_as_numpy(settings):
    drawn = sampler((2,), scored=True, **settings)
    ids, uniforms = np.array([1, 5]), np.random.default_rng(0).random((2, 30))
    recent = np.full((2, 4 if "repetition_penalty" in settings else 0), -1)
    engine, numpy = TorchEngine(weights(), SETTINGS, CPU), NumpyEngine(weights(), SETTINGS)
    assert drawn.filter_settings <= engine.fuses
    fused = engine.write(ids, engine.start(2), recent, uniforms, drawn)
    for other in (
        engine.write_by_steps(ids, engine.start(2), recent, uniforms, drawn),
        numpy.write(ids, numpy.start(2), recent, uniforms, drawn),
    ):
        assert fused.ids.tolist() == other.ids.tolist()
        np.testing.assert_allclose(fused.scores, other.scores, atol=1e-4)


def test_nan_in_the_weights_is_an_error():
    broken = weights()
    broken["head.bias"][3] = np.nan
    engine = TorchEngine(broken, SETTINGS, CPU)
    with pytest.raises(RunError, match="NaN"):
        engine.write(np.array([1]), engine.start(1), np.zeros((1, 0), int), np.zeros((1, 4)), sampler())


def test_the_state_of_one_text_is_repeated_for_several():
    engine = TorchEngine(weights(), SETTINGS, CPU)
    _, state = engine.step(np.array([3]), engine.start(1))
    one, _ = engine.step(np.array([1]), state)
    several, _ = engine.step(np.array([1, 1, 1]), engine.repeat(state, 3))
    np.testing.assert_allclose(several, one.repeat(3, axis=0), atol=1e-5)


def test_the_model_does_not_use_dropout():
    settings = ModelSettings(hidden=32, layers=2, embedding=8, dropout=0.5)
    engine = TorchEngine(weights(), settings, CPU)
    ids = np.array([1])
    np.testing.assert_array_equal(engine.step(ids, engine.start(1))[0], engine.step(ids, engine.start(1))[0])


def test_a_gpu_writes_a_single_text_in_blocks_too():
    engine = TorchEngine(weights(), SETTINGS, CPU)
    assert (engine.tokens_at_once(1), engine.tokens_at_once(2)) == (1, 32)
    engine.device = torch.device("cuda")
    assert (engine.tokens_at_once(1), engine.tokens_at_once(2)) == (32, 32)


def test_a_text_does_not_depend_on_the_size_of_its_blocks():
    engine, drawn = TorchEngine(weights(), SETTINGS, CPU), sampler(repetition_penalty=1.3)
    uniforms = np.random.default_rng(0).random((1, 12))
    recent = np.array([[-1, 2, 5]])
    whole = engine.write(np.array([1]), engine.start(1), recent, uniforms, drawn).ids[0].tolist()
    ids, state, written = np.array([1]), engine.start(1), []
    for t in range(12):
        block = engine.write(ids, state, recent, uniforms[:, t : t + 1], drawn)
        ids, state = block.ids[:, -1], block.state
        recent = np.concatenate([recent[:, 1:], block.ids], axis=1)
        written += block.ids[0].tolist()
    assert written == whole
