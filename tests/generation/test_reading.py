import numpy as np
import pytest
import torch
from batcher import shorten_blocks

from charrnn_cli.config import ModelSettings
from charrnn_cli.generation.long_texts import mean_divergence
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.reading import read_more, read_start, read_tokens
from charrnn_cli.generation.state import RECENT_TOKENS
from charrnn_cli.generation.torch_engine import TorchEngine
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8)
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))
ENGINES = {
    "numpy": NumpyEngine,
    "onnx": OnnxEngine,
    "torch": lambda weights, settings: TorchEngine(weights, settings, torch.device("cpu")),
}


def weights(times: float = 4):
    torch.manual_seed(0)
    return {name: times * array for name, array in get_weights(LanguageModel(SETTINGS, len(ABC))).items()}


def random_ids(count: int) -> list[int]:
    return np.random.default_rng(0).integers(len(ABC), size=count).tolist()


def text(words: str) -> list[int]:
    return ABC.encode(words)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_text_gives_nearly_the_state_of_reading_all_of_it(monkeypatch, engine):
    shorten_blocks(monkeypatch, 64)
    stepping, ids = ENGINES[engine](weights(times=1), SETTINGS), np.array(random_ids(9 * 64 + 10))
    shares: list[float] = []
    whole = read_more(stepping, ids, stepping.start(1))
    hidden = read_start(stepping, ids, shares.append)
    logits = [stepping.step(np.array([3]), one)[0] for one in (hidden, whole)]
    assert mean_divergence(*logits) < 1e-3
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("first", "second"), [("far", "mer"), ("far", ""), ("", "far"), ("", ""), ("f", "a")])
def test_reading_on_gives_the_state_of_reading_all(engine, first, second):
    stepping = ENGINES[engine](weights(), SETTINGS)
    before = read_tokens(stepping, ABC, text(first), model="abc")
    hidden = before.hidden.copy()
    assert read_tokens(stepping, ABC, text(second), after=before, model="abc") == read_tokens(
        stepping, ABC, text(first + second), model="abc"
    )
    np.testing.assert_array_equal(before.hidden, hidden)


def test_only_new_tokens_are_read():
    engine = NumpyEngine(weights(), SETTINGS)
    before = read_tokens(engine, ABC, text("far"))
    steps = []
    step = engine.step
    engine.step = lambda ids, state: steps.append(ids.tolist()) or step(ids, state)
    read_tokens(engine, ABC, text("mer"), after=before)
    assert steps == [[id] for id in text("rme")]


def test_a_model_reads_a_line_break_before_a_text_without_a_prime():
    state = read_tokens(NumpyEngine(weights(), SETTINGS), ABC, [])
    assert (state.recent, state.last) == ((), ABC.ids["\n"])
    assert not state.hidden.any()


def test_a_state_keeps_the_last_tokens_of_a_long_text():
    ids = random_ids(RECENT_TOKENS + 10)
    state = read_tokens(NumpyEngine(weights(), SETTINGS), ABC, ids)
    assert list(state.recent) == ids[10:]
    state = read_tokens(NumpyEngine(weights(), SETTINGS), ABC, [1, 2], after=state)
    assert list(state.recent) == [*ids, 1, 2][12:]
