import numpy as np
import pytest
from batcher import ABC, ENGINES, shorten_blocks, small_engine

from charrnn_cli.generation import long_texts
from charrnn_cli.generation.long_texts import mean_divergence, read_blocks

BLOCK = 64  # tokens in these tests
END_TOKENS = 4 * BLOCK
IDS = np.random.default_rng(0).integers(len(ABC), size=END_TOKENS + 3 * BLOCK + 40)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    shorten_blocks(monkeypatch, BLOCK)


def read(engine, ids):
    """The state after the whole blocks of a text, and how many tokens were read."""
    counted = [0]
    steps = engine.step, engine.read

    def step(ids, state):
        counted[0] += 1
        return steps[0](ids, state)

    def read_block(ids, state):
        before = counted[0]
        state = steps[1](ids, state)
        counted[0] = before + ids.shape[1]  # some engines read step by step
        return state

    engine.step, engine.read = step, read_block
    blocks = read_blocks(engine, ids)
    shares = []
    while True:
        try:
            shares.append(next(blocks))
        except StopIteration as end:
            assert all(0 <= share <= 1 for share in shares)
            return engine.to_array(end.value), counted[0]


def test_the_state_depends_only_on_whole_blocks():
    other = IDS.copy()
    other[-30:] = 0
    state, _ = read(small_engine(), IDS)
    np.testing.assert_array_equal(read(small_engine(), other)[0], state)
    np.testing.assert_array_equal(read(small_engine(), IDS[:-40])[0], state)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_forgets_reads_only_the_end(monkeypatch, engine):
    monkeypatch.setattr(long_texts, "MAX_DIVERGENCE", 1.0)
    _, counted = read(small_engine(engine), IDS)
    assert counted < len(IDS) * 2
    assert counted >= END_TOKENS


def test_a_network_that_remembers_reads_all(monkeypatch):
    monkeypatch.setattr(long_texts, "MAX_DIVERGENCE", -1.0)
    engine = small_engine("numpy")
    state, _ = read(engine, IDS)
    whole = small_engine("numpy")
    blocks = IDS[: len(IDS) // BLOCK * BLOCK]
    np.testing.assert_array_equal(state, whole.to_array(whole.read(blocks[None], whole.start(1))))


def test_the_divergence_of_equal_predictions_is_0():
    logits = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    assert mean_divergence(logits, logits + 1) == pytest.approx(0, abs=1e-9)
    assert mean_divergence(logits, logits[::-1]) > 0.1
