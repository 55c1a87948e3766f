import dataclasses
import re

import pytest

from charrnn_cli.config import ModelSettings, PrepareSettings, TrainingSettings
from charrnn_cli.runs.comparison import Comparison, compare_runs
from charrnn_cli.runs.describe import DamagedRun, Description, describe_all
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.verify import FileCheck
from charrnn_cli.runs.weights import Summary
from charrnn_cli.terminal.descriptions import check_line, comparison_text, description_text, models_table, presets_table
from charrnn_cli.text.corpus import CorpusInfo
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.presets import AUTO, PRESETS

CONFIG = Config(
    ModelSettings(hidden=16), TrainingSettings(steps=40), "auto", "CPU", "a" * 64, {"charrnn": "1", "numpy": "2"}
)
SUMMARY = Summary(step=1040, epoch=2.0, seconds=90.0, train_loss=1.5, valid_loss=1.75, when="2020-01-02T03:04:05+00:00")
EARLIER = dataclasses.replace(SUMMARY, step=20, valid_loss=None)


@pytest.fixture
def trained(folder) -> Description:
    return Description(
        Run(folder / "one"), Vocabulary("char", ("a", "b")), None, CONFIG, SUMMARY, 1234, [EARLIER, SUMMARY], ["x"]
    )


def test_the_table_of_models_has_a_line_for_each(trained):
    untrained = dataclasses.replace(trained, run=Run(trained.run.folder.with_name("two")), config=None, best=None)
    damaged = DamagedRun(Run(trained.run.folder.with_name("three"), bundled=True), "the vocabulary is damaged")
    header, *rows = models_table([trained, untrained, damaged]).splitlines()
    assert header.split()[:3] == ["name", "level", "network"]
    assert " ".join(rows[0].split()) == f"one char LSTM 2 x 16 1,234 1,040 1.7500 2020-01-02 {trained.run.folder}"
    assert " ".join(rows[1].split()).startswith("two char not trained yet")
    assert rows[2].split() == ["three", "damaged", "bundled"]


def test_a_description_has_the_settings_and_every_checkpoint(trained):
    facts, checkpoints = description_text(trained).split("\n\n")
    lines = [line.split(maxsplit=1) for line in facts.splitlines()]
    assert re.search("made by +charrnn 1, numpy 2", facts)
    assert ["network", "LSTM 2 x 16, 1,234 parameters"] in lines
    assert ["batch-size", "16"] in lines
    assert ["device", "CPU"] in lines
    assert ["damaged", "x"] in lines
    assert not any(name == "epochs" for name, _ in lines)
    _, earlier, best = checkpoints.splitlines()
    assert earlier.split() == ["20", "2.00", "1.5000", "-", "2020-01-02", "03:04", "first"]
    assert best.split() == ["1,040", "2.00", "1.5000", "1.7500", "2020-01-02", "03:04", "last,", "best"]


def test_an_untrained_run_has_no_table_of_checkpoints(trained):
    text = description_text(dataclasses.replace(trained, config=None, best=None, parameters=None, checkpoints=[]))
    assert "\n\n" not in text
    assert "network" not in text


def test_a_check_names_the_file_or_the_problem(folder):
    assert check_line(FileCheck(folder / "a", None)) == f"valid    {folder / 'a'}"
    assert check_line(FileCheck(folder / "a", "a\x1b is damaged")) == "damaged  a\\x1b is damaged"


def test_a_comparison_has_a_column_for_each_run():
    settings = {
        "tie_weights": [True, False],
        "sha256": ["a" * 64, None],
        "text": ["t" * 99, None],
        "learning_rate": [0.003, 0.00012345],
    }
    results = {"valid_loss": [1.23456, 2.0], "step": [1000, None]}
    lines = comparison_text(Comparison(["one", "two"], settings, results, "one is best.")).splitlines()
    assert [line.split() for line in lines] == [
        ["one", "two"],
        ["tie-weights", "yes", "no"],
        ["sha256", "a" * 12, "-"],
        ["text", "t" * 99, "-"],
        ["learning-rate", "0.003", "0.0001"],
        [],
        ["valid", "loss", "1.2346", "2"],
        ["step", "1,000", "-"],
        [],
        ["one", "is", "best."],
    ]


def test_a_comparison_without_a_note_is_only_a_table():
    assert not comparison_text(Comparison(["one", "two"], {}, {"step": [1, 2]}, None)).endswith("\n")


def test_every_table_fits_into_60_columns_without_cutting_words(trained):
    corpus = CorpusInfo(
        PrepareSettings(), "uint8", {"train": 9, "valid": 9, "test": 9}, 2, [], 0, ["one.txt"] * 9, "f" * 64
    )
    described = [trained, *describe_all()]
    presets = {name: make() for name, make in PRESETS.items()}
    whole = description_text(dataclasses.replace(trained, corpus=corpus))
    tables = {
        models_table(described): models_table(described, 60),
        whole: description_text(dataclasses.replace(trained, corpus=corpus), 60),
        comparison_text(compare_runs(described)): comparison_text(compare_runs(described), 60),
        presets_table(presets): presets_table(presets, 60),
    }
    for wide, narrow in tables.items():
        table, _, note = narrow.partition("Not shown")
        lines = [line for line in narrow.splitlines() if not line.startswith("folder")]  # a path has no place to break
        assert max(map(len, lines)) <= 60
        assert set(table.split()) <= set(wide.split())
        assert note or "runs" in table or "Their tokens" in table
    assert "Not shown: SHA-256." in tables[whole]
    assert "Not shown" not in description_text(dataclasses.replace(trained, corpus=corpus), 100)


def test_auto_is_the_first_of_all_presets():
    rows = presets_table({name: make() for name, make in PRESETS.items()}).splitlines()[1:]
    assert [row.split()[0] for row in rows] == [AUTO, *PRESETS]
