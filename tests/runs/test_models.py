import dataclasses
import json

import numpy as np
import pytest
from support import prepare_text

from charrnn_cli.config import ModelSettings, PrepareSettings, TrainingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.runs.checkpoints import save_checkpoint
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.runs.weights import Summary, load_checksum, save_weights
from charrnn_cli.text.vocabulary import Vocabulary

SUMMARY = Summary(1, 0.1, 1.0, 2.0, 2.0, "2020-01-01T00:00:00+00:00")
CONFIG = Config(ModelSettings(hidden=3), TrainingSettings(steps=5), "auto", "CPU", "0" * 64, {"charrnn": "1"})
WORDS = PrepareSettings(level="word", documents="line", lowercase=True, valid=0.2)


def write_model(run: Run, vocabulary: Vocabulary, config: Config = CONFIG) -> Run:
    run.folder.mkdir(exist_ok=True)
    vocabulary.save(run.vocabulary)
    config.save(run.config)
    save_weights(run.weights, {"a": np.ones(3, np.float32)}, SUMMARY)
    return run


@pytest.fixture
def model(folder) -> Run:
    return write_model(Run(folder / "model"), Vocabulary("char", ("a", "b")))


def test_a_saved_config_is_loaded_unchanged(folder):
    for config in (CONFIG, dataclasses.replace(CONFIG, text=WORDS, origin="anna", weights_sha256="1" * 64)):
        config.save(folder / "config.json")
        assert Config.load(folder / "config.json") == config


def test_an_error_about_a_damaged_config_names_the_file_and_the_value(folder):
    (folder / "config.json").write_text('{"model": {"hidden": -1}, "training": {}}')
    with pytest.raises(RunError, match=r"config\.json is damaged.*-1"):
        Config.load(folder / "config.json")


def test_the_best_weights_and_those_of_a_checkpoint_are_loaded(model):
    assert load_model(model).summary == SUMMARY
    assert load_model(model).checksum == load_checksum(model.weights)
    weights = {"a": np.zeros(3, np.float32)}
    save_checkpoint(model, dataclasses.replace(SUMMARY, step=9), weights, {}, {}, best_step=1)
    checkpoint = load_model(model, checkpoint=9)
    assert checkpoint.summary.step == 9
    assert checkpoint.weights["a"].tolist() == [0, 0, 0]
    assert checkpoint.checksum != load_model(model).checksum
    with pytest.raises(UsageError, match="`checkpoint=8`"):
        load_model(model, checkpoint=8)


@pytest.mark.parametrize(("scale", "calibrated"), [(0.9, True), (1.0, False), (None, False)])
def test_a_model_says_whether_it_was_calibrated(model, scale, calibrated):
    weights = {} if scale is None else {"head.scale": np.array([scale], np.float32)}
    assert dataclasses.replace(load_model(model), weights=weights).calibrated == calibrated


def test_a_prepared_text_without_a_model_is_an_error(folder):
    run = prepare_text(folder, "abc" * 50)
    with pytest.raises(RunError, match=r"config\.json"):
        load_model(run)


def test_weights_that_differ_from_the_checksum_in_the_config_are_an_error(model):
    dataclasses.replace(CONFIG, weights_sha256=load_checksum(model.weights)).save(model.config)
    assert load_model(model).summary == SUMMARY
    save_weights(model.weights, {"a": np.zeros(3, np.float32)}, SUMMARY)
    with pytest.raises(RunError, match=r"its checksum differs from the one in config\.json"):
        load_model(model)


def test_how_to_read_a_text_comes_from_the_config_then_the_corpus_then_the_vocabulary(folder):
    run = write_model(prepare_text(folder, "one two\n" * 50, WORDS), Vocabulary("word", ("one", "two", "<eod>"), end=2))
    assert load_model(run).text == WORDS
    other = dataclasses.replace(WORDS, documents=None)
    dataclasses.replace(CONFIG, text=other).save(run.config)
    assert load_model(run).text == other
    CONFIG.save(run.config)
    (run.corpus / "corpus.json").unlink()
    assert load_model(run).text == PrepareSettings(level="word", documents="file")


@pytest.mark.parametrize("corpus", ["", "{}", json.dumps({"settings": {"level": 3}})])
def test_a_damaged_corpus_does_not_stop_a_model_from_loading(folder, corpus):
    run = write_model(prepare_text(folder, "abc" * 50), Vocabulary("char", ("a", "b", "c"), lowercase=True))
    (run.corpus / "corpus.json").write_text(corpus)
    assert load_model(run).text == PrepareSettings(lowercase=True)


def test_a_vocabulary_that_contradicts_itself_is_damaged(folder):
    run = write_model(Run(folder / "bytes"), Vocabulary("byte", ("00", "<eod>"), end=1))
    with pytest.raises(RunError, match=r"vocabulary\.json is damaged"):
        load_model(run)
