import dataclasses

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.runs.comparison import compare_runs
from charrnn_cli.runs.describe import Description
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import Vocabulary

CONFIG = Config(ModelSettings(hidden=16), TrainingSettings(steps=40), "auto", "CPU", "a" * 64, {"charrnn": "1"})
SUMMARY = Summary(step=40, epoch=2.0, seconds=9.0, train_loss=1.5, valid_loss=1.75, when="2020-01-01T00:00:00+00:00")
ABC = Vocabulary("char", ("a", "b", "c"))


def described(folder, name="one", config=CONFIG, best=SUMMARY, vocabulary=ABC) -> Description:
    return Description(Run(folder / name), vocabulary, None, config, best, 7, [], [])


def test_only_settings_that_differ_are_compared(folder):
    other = dataclasses.replace(CONFIG, model=ModelSettings(hidden=24), training=TrainingSettings(epochs=5))
    comparison = compare_runs([described(folder), described(folder, "two", other)])
    assert comparison.runs == ["one", "two"]
    assert comparison.settings == {"hidden": [16, 24], "steps": [40, None], "epochs": [None, 5]}
    assert comparison.results["parameters"] == [7, 7]
    assert comparison.record().keys() == {"runs", "settings", "results"}


def test_the_note_names_the_run_with_the_lowest_loss(folder):
    losses = {"one": 1.75, "two": 1.5, "three": 1.625}
    runs = [described(folder, name, best=dataclasses.replace(SUMMARY, valid_loss=x)) for name, x in losses.items()]
    assert compare_runs(runs).note == "two has the lowest validation loss, 0.1250 below three."


def test_losses_of_different_tokens_or_texts_are_not_compared(folder):
    bytes_model = described(folder, "two", vocabulary=Vocabulary("byte", ("61", "62")))
    assert "bits per character" in compare_runs([described(folder), bytes_model]).note
    other_text = described(folder, "two", dataclasses.replace(CONFIG, sha256="b" * 64))
    assert "different texts" in compare_runs([described(folder), other_text]).note


def test_an_untrained_run_has_no_results(folder):
    comparison = compare_runs([described(folder), described(folder, "two", config=None, best=None)])
    assert comparison.results["valid_loss"] == [1.75, None]
    assert comparison.results["seconds"] == [9.0, None]
    assert comparison.settings["preset"] == ["auto", None]
    assert comparison.note is None
