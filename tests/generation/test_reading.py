import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.reading import mean_divergence, read, read_more, read_prime
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


def assert_same_state(one, other) -> None:
    for parts, others in zip(one.parts, other.parts, strict=True):
        np.testing.assert_array_equal(np.stack(parts), np.stack(others))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_prime_gives_nearly_the_state_of_reading_all_of_it(engine, monkeypatch):
    monkeypatch.setattr("charrnn_cli.generation.reading.END_TOKENS", 400)
    stepping, ids = ENGINES[engine](weights(times=1), SETTINGS), random_ids(1300)
    shares: list[float] = []
    whole = read_more(stepping, ids, stepping.start(1))
    state = read(stepping, ids, shares.append)
    logits = [stepping.step(np.array([3]), one)[0] for one in (state, whole)]
    assert mean_divergence(*logits) < 1e-3
    assert shares == sorted(shares)
    assert len(shares) == 2 * 2  # the end was read twice, and the text was not read as a whole


def test_a_prime_that_the_model_does_not_forget_is_read_as_a_whole(monkeypatch):
    monkeypatch.setattr("charrnn_cli.generation.reading.END_TOKENS", 50)
    remembering = weights()
    for k in range(2):
        remembering[f"rnn.bias_ih_l{k}"][16:32] += 50  # opens the forget gates
    engine, ids = NumpyEngine(remembering, SETTINGS), random_ids(450)
    assert_same_state(read(engine, ids), read_more(engine, ids, engine.start(1)))


@pytest.mark.parametrize("words", ["far", "fa", "b", ""])
def test_reading_on_after_a_prime_gives_the_state_of_reading_all_of_it(words):
    engine = NumpyEngine(weights(), SETTINGS)
    before = read_prime(engine, ABC, ABC.encode("far"))
    ids = ABC.encode(words + "mer") if words else []
    prime, whole = read_prime(engine, ABC, ids, after=before), read_prime(engine, ABC, ids)
    assert (prime.ids, prime.context, prime.text) == (whole.ids, whole.context, whole.text)
    assert_same_state(prime.state, whole.state)
    assert_same_state(before.state, read_prime(engine, ABC, ABC.encode("far")).state)  # nothing changed it


def test_only_new_tokens_are_read():
    engine = NumpyEngine(weights(), SETTINGS)
    before = read_prime(engine, ABC, ABC.encode("far"))
    steps = []
    step = engine.step
    engine.step = lambda ids, state: steps.append(ids.tolist()) or step(ids, state)
    read_prime(engine, ABC, ABC.encode("farmer"), after=before)
    assert steps == [[id] for id in ABC.encode("rme")]


def test_a_model_reads_a_line_break_before_a_text_without_a_prime():
    prime = read_prime(NumpyEngine(weights(), SETTINGS), ABC, [])
    assert (prime.ids, prime.context, prime.text) == ((), (ABC.ids["\n"],), "")


def test_the_text_of_a_prime_has_the_words_that_unk_stands_for():
    play = Vocabulary("word", ("<unk>", *ABC.tokens[1:]), unknown=0)
    prime = read_prime(NumpyEngine(weights(), SETTINGS), play, play.encode(["a", "<unk>", "b", "<unk>"]), unknown=["x"])
    assert prime.text == "a x b <unk>"
