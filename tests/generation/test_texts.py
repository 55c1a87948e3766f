from itertools import pairwise

import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Sampler
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.prime import encode_prime, prime_text
from charrnn_cli.generation.reading import read_more, read_tokens
from charrnn_cli.generation.sampling import probabilities
from charrnn_cli.generation.texts import Piece, Sample, in_order, likeliest, write_texts
from charrnn_cli.generation.torch_engine import TorchEngine
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8)
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))


def weights(size: int, seed: int = 0, times: float = 4):
    torch.manual_seed(seed)
    return {name: times * array for name, array in get_weights(LanguageModel(SETTINGS, size)).items()}


def events(prime="", engine=None, vocabulary=ABC, seed=0, samples=1, scored=False, **settings):
    engine = engine or NumpyEngine(weights(len(vocabulary)), SETTINGS)
    encoded = encode_prime(prime, vocabulary)
    state = read_tokens(engine, vocabulary, encoded.ids)
    text = prime_text(encoded, vocabulary)
    return write_texts(engine, vocabulary, state, SamplingSettings(**settings), seed, samples, scored, text)


def write(*arguments, **settings) -> str:
    return "".join(event.text for event in events(*arguments, **settings) if isinstance(event, Piece))


def texts(found) -> dict[int, str]:
    """The whole text of each sample."""
    whole: dict[int, str] = {}
    for event in found:
        if isinstance(event, Piece):
            whole[event.sample] = whole.get(event.sample, "") + event.text
    return whole


def test_a_text_is_the_prime_and_as_many_tokens_as_asked_for():
    text = write("far", length=30)
    assert text.startswith("far")
    assert len(text) == 33
    assert write("far", length=0) == "far"
    assert len(write(length=10)) == 10


def test_the_same_seed_writes_the_same_text_on_every_engine():
    torch_engine = TorchEngine(weights(len(ABC)), SETTINGS, torch.device("cpu"))
    penalty = {"repetition_penalty": 1.2, "repetition_window": 5}
    for settings in (
        {},
        {"temperature": 0},
        {"top_n": 3, "temperature": 1.5},
        {"top_p": 0.7, **penalty},
        {"min_p": 0.1},
    ):
        one = write("far", length=200, seed=5, **settings)
        assert one == write("far", length=200, seed=5, **settings)
        assert one == write("far", torch_engine, length=200, seed=5, **settings)
    assert write("far", seed=5) != write("far", seed=6)


def test_the_prime_matters():
    assert write("far", temperature=0, length=20)[3:] != write("zzz", temperature=0, length=20)[3:]


def test_bytes_come_out_as_characters():
    vocabulary = Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
    text = write("é", vocabulary=vocabulary, length=50)
    assert text.startswith("é")


def test_the_unknown_token_is_never_written():
    vocabulary = Vocabulary("char", ("<unk>", "a", "b"), unknown=0)
    broken = weights(3)
    broken["head.bias"] = np.array([99, 0, 0], np.float32)
    engine = NumpyEngine(broken, SETTINGS)
    assert set(write("a", engine, vocabulary, length=100, temperature=9)) == {"a", "b"}
    assert "\ufffd" in write("a", engine, vocabulary, length=100, temperature=9, allow_unknown=True)


MARKS = {"||Comma||": ",", "||Colon||": ":", "||Return||": "\n"}
PLAY = Vocabulary("word", ("<unk>", *MARKS, "ROMEO", "Romeo", "to", "be"), unknown=0, marks=MARKS)


def test_a_word_model_writes_words_with_spaces_between():
    text = write("ROMEO:\nto be, ", vocabulary=PLAY, length=50, temperature=2.0)
    assert text.startswith("ROMEO:\nto be,")
    assert set(text.replace(",", " ").replace(":", " ").split()) <= set(PLAY.tokens)
    assert "||" not in text


def test_corrupt_weights_are_an_error():
    broken = weights(len(ABC))
    broken["head.bias"][3] = np.nan
    with pytest.raises(RunError, match="corrupt"):
        write("far", NumpyEngine(broken, SETTINGS))


ENGINES = {
    "numpy": NumpyEngine,
    "onnx": lambda weights, settings: OnnxEngine(weights, settings),
    "torch": lambda weights, settings: TorchEngine(weights, settings, torch.device("cpu")),
}


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_a_text_does_not_depend_on_the_number_of_texts(engine):
    settings = {
        "prime": "far",
        "engine": ENGINES[engine](weights(len(ABC)), SETTINGS),
        "length": 60,
        "temperature": 1.3,
        "seed": 3,
    }
    many = texts(events(samples=70, **settings))
    assert len(set(many.values())) == 70
    for samples in (1, 2, 65):
        assert texts(events(samples=samples, **settings)) == {k: many[k] for k in range(samples)}


@pytest.mark.parametrize("engine", ENGINES)
def test_each_text_ends_for_its_own_reason(engine):
    found = list(
        events(
            "a",
            ENGINES[engine](weights(len(ABC)), SETTINGS),
            samples=9,
            length=100,
            temperature=1.0,
            stop=("e",),
            scored=True,
        )
    )
    ends = {event.sample: event for event in found if isinstance(event, Sample)}
    assert sorted(ends) == list(range(9))
    for k, text in texts(found).items():
        assert "e" not in text
        assert ends[k].ending == ("stop" if ends[k].tokens < 100 else ends[k].ending)
        pieces = [event for event in found if event.sample == k]
        assert pieces[-1] is ends[k]
    assert len({end.tokens for end in ends.values()}) > 2


@pytest.mark.parametrize("engine", ENGINES)
def test_writing_may_start_with_any_text(engine):
    def some(**numbers):
        made = ENGINES[engine](weights(len(ABC)), SETTINGS)
        state = read_tokens(made, ABC, encode_prime("a", ABC).ids)
        return texts(write_texts(made, ABC, state, SamplingSettings(length=6, temperature=1.5), 0, **numbers))

    every = some(samples=70)
    assert ENGINES[engine](weights(len(ABC)), SETTINGS).filled(70) >= 70
    for first in (1, 2, 66):
        assert some(samples=70, first=first) == {k: text for k, text in every.items() if k >= first}


def test_in_order_gives_one_text_after_the_other():
    found = list(in_order(events("a", samples=5, length=20, stop=("e",), temperature=1.5)))
    assert [event.sample for event in found] == sorted(event.sample for event in found)
    assert texts(found) == texts(events("a", samples=5, length=20, stop=("e",), temperature=1.5))


def test_the_likeliest_texts_have_the_highest_mean_log_probability():
    settings = {"prime": "a", "samples": 6, "length": 20, "temperature": 1.5, "scored": True}
    means = {e.sample: e.log_probability / e.tokens for e in events(**settings) if isinstance(e, Sample)}
    best = [e.sample for e in likeliest(events(**settings), 2) if isinstance(e, Sample)]
    assert best == sorted(means, key=means.__getitem__, reverse=True)[:2]


def test_the_log_probability_is_the_sum_over_the_written_tokens():
    engine = NumpyEngine(weights(len(ABC)), SETTINGS)
    (end,) = [e for e in events("far", engine, length=30, temperature=2.0, scored=True) if isinstance(e, Sample)]
    ids = ABC.encode(write("far", engine, length=30, temperature=2.0))
    state, total = engine.start(1), 0.0
    for at, (id, following) in enumerate(pairwise(ids)):
        logits, state = engine.step(np.array([id]), state)
        if at >= 2:
            total += logits[0, following] - np.log(np.exp(logits[0].astype(float)).sum())
    assert end.log_probability == pytest.approx(total, abs=1e-3)


def test_many_draws_follow_the_probabilities_of_the_model():
    """100,000 draws against the model's own probabilities, after a prime."""
    engine, draws = NumpyEngine(weights(len(ABC), times=2), SETTINGS), 100_000
    settings = SamplingSettings(temperature=1.0, top_p=1.0)
    sampler = Sampler(settings, np.ones(len(ABC), bool))
    state, ids = read_more(engine, np.array(ABC.encode("fa")), engine.start(1)), np.full(1000, ABC.ids["r"])
    logits, _ = engine.step(ids[:1], state)
    expected = draws * probabilities(logits.astype(float))[0]
    random, counts = np.random.default_rng(0), np.zeros(len(ABC))
    many = engine.repeat(state, 1000)
    for _ in range(draws // 1000):
        block = engine.write(ids, many, np.zeros((1000, 0), int), random.random((1000, 1)), sampler)
        counts += np.bincount(block.ids[:, 0], minlength=len(ABC))
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 55.5  # the 0.1 % quantile at 27 degrees of freedom
