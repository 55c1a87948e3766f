import dataclasses
import json

import numpy as np
import pytest
import torch
from support import prepare_text

from charrnn_cli.checkpoint import Config, Summary, save_checkpoint, save_model
from charrnn_cli.config import ModelSettings, SamplingSettings, TrainingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.generate import generate, load_model, read_prime
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.torch_engine import TorchEngine
from charrnn_cli.runs import Run
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.model import LanguageModel, get_weights

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8)
SUMMARY = Summary(1, 0.1, 1.0, 2.0, 2.0, "2020-01-01T00:00:00+00:00")
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))


def weights(size: int, seed: int = 0):
    torch.manual_seed(seed)
    return {name: 4 * array for name, array in get_weights(LanguageModel(SETTINGS, size)).items()}


def write(prime="", engine=None, vocabulary=ABC, seed=0, **settings) -> str:
    engine = engine or NumpyEngine(weights(len(vocabulary)), SETTINGS)
    ids = read_prime(prime, vocabulary)
    return "".join(generate(engine, vocabulary, ids, SamplingSettings(**settings), np.random.default_rng(seed)))


def test_the_prime_and_so_many_tokens():
    text = write("far", length=30)
    assert text.startswith("far")
    assert len(text) == 33
    assert write("far", length=0) == "far"
    assert len(write(length=10)) == 10


def test_the_same_seed_writes_the_same_text_on_every_engine():
    torch_engine = TorchEngine(weights(len(ABC)), SETTINGS, torch.device("cpu"))
    for settings in ({}, {"temperature": 0}, {"top_n": 3, "temperature": 1.5}):
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


def test_a_prime_that_the_model_does_not_know():
    with pytest.raises(UsageError, match=r"'É' at position 2, '!' at position 5.*--unknown skip"):
        read_prime("aÉbc!", ABC)
    assert read_prime("aÉbc!", ABC, "skip") == ABC.encode("abc")
    assert read_prime("a\r\nb", ABC) == ABC.encode("a\nb")


MARKS = {"||Comma||": ",", "||Colon||": ":", "||Return||": "\n"}
PLAY = Vocabulary("word", ("<unk>", *MARKS, "ROMEO", "Romeo", "to", "be"), unknown=0, marks=MARKS)


def test_a_word_model_writes_words_with_their_spaces():
    text = write("ROMEO:\nto be, ", vocabulary=PLAY, length=50, temperature=2.0)
    assert text.startswith("ROMEO:\nto be,")
    assert set(text.replace(",", " ").replace(":", " ").split()) <= set(PLAY.tokens)
    assert "||" not in text


def test_a_word_models_prime():
    assert PLAY.decode(read_prime("ROMEO: to  be ", PLAY)) == ["ROMEO", "||Colon||", "to", "be"]
    with pytest.raises(UsageError, match="'Juliet' at position 2"):
        read_prime("Romeo Juliet", PLAY)
    assert read_prime("Romeo Juliet", PLAY, "skip") == PLAY.encode(["Romeo"])


def test_a_lowercase_model_takes_a_prime_of_any_case():
    low = Vocabulary("word", ("to", "be"), lowercase=True)
    assert read_prime("To BE", low) == [0, 1]


def test_broken_weights_are_noticed():
    broken = weights(len(ABC))
    broken["head.bias"][3] = np.nan
    with pytest.raises(RunError, match="broken"):
        write("far", NumpyEngine(broken, SETTINGS))


@pytest.fixture
def model(folder) -> Run:
    run = Run(folder / "model")
    run.folder.mkdir()
    ABC.save(run.vocabulary)
    Config(SETTINGS, TrainingSettings(steps=1), "auto", "CPU", "", {}).save(run.config)
    save_model(run.weights, weights(len(ABC)), SUMMARY)
    return run


def test_a_model_and_its_earlier_checkpoints_are_loaded(model):
    assert load_model(model).summary == SUMMARY
    save_checkpoint(model, dataclasses.replace(SUMMARY, step=9), weights(len(ABC), seed=1), {}, {}, 9)
    earlier = load_model(model, step=9)
    assert earlier.summary.step == 9
    with pytest.raises(UsageError, match=r"--checkpoint 8: model has the checkpoints 9"):
        load_model(model, step=8)


def test_weights_of_another_model_are_refused(model):
    record = json.loads(model.config.read_text())
    record["model"]["hidden"] = 17
    model.config.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"head\.weight is \(28, 16\), not \(28, 17\)"):
        load_model(model)


def test_a_vocabulary_that_lost_a_token_is_refused(model):
    Vocabulary("char", ABC.tokens[:-1]).save(model.vocabulary)
    with pytest.raises(RunError, match="does not fit"):
        load_model(model)


def test_a_prepared_text_without_weights(folder):
    run = prepare_text(folder, "abc" * 50)
    with pytest.raises(RunError, match=r"config\.json"):
        load_model(run)
