import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Engine, Sampler, TokenBlock, alternatives
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.sampling import log_probabilities
from charrnn_cli.generation.torch_engine import TorchEngine
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights

V = 5
ALL = np.ones(V, bool)


class Counter(Engine[int]):
    """Predicts the token after the last one. Its state is the number of tokens that it has read."""

    name = "counter"
    fuses = frozenset({"temperature", "top_p", "top_n"})
    group_sizes = (1, 3, 10)

    def __init__(self, largest=9.0):
        self.fused = 0
        self.largest = largest

    def start(self, streams):
        return 0

    def rows(self, state, rows):
        return state

    def together(self, states):
        return states[0]

    def to_array(self, state):
        raise NotImplementedError

    from_array = to_array

    def step(self, ids, state):
        logits = np.zeros((len(ids), V), np.float32)
        logits[np.arange(len(ids)), (ids + 1) % V] = self.largest
        return logits, state + 1

    def write_fused(self, ids, state, recent, uniforms, sampler):
        self.fused += 1
        return TokenBlock(np.zeros(uniforms.shape, int), None, state)


def write(engine, sampler, T=3, W=0):
    return engine.write(np.array([0, 3]), 0, np.full((2, W), -1), np.full((2, T), 0.5), sampler)


@pytest.mark.parametrize(
    ("settings", "allowed", "fused"),
    [
        ({}, ALL, True),
        ({"top_n": 3, "temperature": 0.5, "top_p": 0.2}, ALL, True),
        ({"temperature": 0, "min_p": 0.1}, ALL, True),  # min_p has no effect at temperature 0
        ({"repetition_window": 9}, ALL, True),  # nor has the window without a penalty
        ({"min_p": 0.1}, ALL, False),
        ({"repetition_penalty": 1.1}, ALL, False),
        ({}, np.arange(V) != 2, False),
    ],
)
def test_the_fused_path_runs_only_if_it_has_all_active_filters(settings, allowed, fused):
    engine = Counter()
    write(engine, Sampler(SamplingSettings(**settings), allowed))
    assert engine.fused == fused


def test_an_engine_without_a_path_of_its_own_writes_step_by_step():
    sampler = Sampler(SamplingSettings(min_p=0.1, temperature=1.0), ALL, scored=True)
    block = write(Counter(), sampler)
    assert block.ids.tolist() == [[1, 2, 3], [4, 0, 1]]
    assert block.state == 3
    logits, _ = Counter().step(np.array([0]), 0)
    assert block.scores[0, 0] == pytest.approx(log_probabilities(logits.astype(float), np.array([1]))[0])


def test_recent_tokens_move_on_with_each_token():
    seen = []
    engine = Counter()
    sampler = Sampler(SamplingSettings(repetition_penalty=1.1), ALL)
    sampler.filters.insert(0, lambda logits, recent: (seen.append(recent.tolist()), logits)[1])
    write(engine, sampler, W=2)
    assert seen == [[[-1, -1], [-1, -1]], [[-1, 1], [-1, 4]], [[1, 2], [4, 0]]]


def test_nan_is_an_error():
    with pytest.raises(RunError, match="NaN"):
        write(Counter(np.nan), Sampler(SamplingSettings(min_p=0.1), ALL))


@pytest.mark.parametrize("texts", [1, 2, 4, 5, 14, 15, 40])
def test_group_sizes_do_not_depend_on_the_number_of_texts(texts):
    groups = Counter().groups(texts)
    assert groups == [1, 3, 10, 10, 10, 10][: len(groups)]
    assert sum(groups[:-1]) < texts <= sum(groups)


def test_a_single_text_comes_token_by_token():
    assert Counter().tokens_at_once(1) == 1
    assert Counter().tokens_at_once(2) == Counter.block_tokens


def engines_of(cell):
    settings = ModelSettings(cell, hidden=8, layers=2, embedding=4)
    weights = get_weights(LanguageModel(settings, V))
    return NumpyEngine(weights, settings), OnnxEngine(weights, settings), TorchEngine(weights, settings, CPU)


CPU = torch.device("cpu")


@pytest.mark.parametrize("cell", CELLS)
def test_states_can_be_taken_apart_put_together_and_stored(cell):
    ids = np.random.default_rng(0).integers(V, size=(3, 7))
    for engine in engines_of(cell):
        whole = engine.to_array(engine.read(ids, engine.start(3)))
        assert whole.shape == (3, 2 * 8 * len(CELLS[cell].states))
        parts = [engine.read(ids[k : k + 1], engine.start(1)) for k in range(3)]
        np.testing.assert_allclose(engine.to_array(engine.together(parts)), whole, atol=1e-6)
        stored = engine.from_array(whole)
        np.testing.assert_array_equal(engine.to_array(stored), whole)
        np.testing.assert_array_equal(engine.to_array(engine.rows(stored, np.array([2, 0]))), whole[[2, 0]])
        np.testing.assert_array_equal(
            engine.to_array(engine.repeat(engine.rows(stored, np.array([1])), 2)), whole[[1, 1]]
        )


@pytest.mark.parametrize("cell", CELLS)
def test_a_stored_state_can_be_continued_by_every_engine(cell):
    ids = np.array([[0, 1, 2, 3, 4, 2]])
    first, *others = engines_of(cell)
    array = first.to_array(first.read(ids, first.start(1)))
    for engine in others:
        np.testing.assert_allclose(engine.to_array(engine.read(ids, engine.start(1))), array, atol=0.02)


def test_alternatives_are_the_likeliest_tokens():
    logits = np.array([[1.0, 3.0, 2.0, 3.0, 0.0]])
    found = alternatives(logits, 3)
    assert found.ids.tolist() == [[[1, 3, 2]]]
    expected = [log_probabilities(logits, np.array([id]))[0] for id in (1, 3, 2)]
    assert found.scores[0, 0].tolist() == expected
    assert alternatives(logits, 9).ids.shape == (1, 1, 5)
