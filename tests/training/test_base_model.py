import colorsys
import re
from pathlib import Path

import pytest
import torch
from support import TEXT, charrnn, prepare_text, train_small

from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import bundled_models
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.preparation import prepare
from charrnn_cli.text import corpus
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training import base_model
from charrnn_cli.training.base_model import BaseModel, best_base_model
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.setup import set_up

ENGLISH = """\
The old man looked at the river for a long time before he spoke. "There was a bridge here once," he said, "and we
walked across it every morning on our way to school." His daughter did not answer. She had heard the story many times,
but she liked the way he told it, and she liked the silence that came after.

When the rain began they went back to the house. She made tea, and he sat by the window and watched the drops run down
the glass. In the evening a letter came from her brother. He was well, he wrote, and he would come home in the spring.
"""
GERMAN = """\
Der alte Mann sah lange auf den Fluss, bevor er sprach. „Hier war einmal eine Brücke“, sagte er, „und wir gingen jeden
Morgen auf dem Weg zur Schule hinüber.“ Seine Tochter antwortete nicht. Sie hatte die Geschichte schon oft gehört, aber
sie mochte es, wie er sie erzählte, und sie mochte die Stille, die danach kam.

Als der Regen begann, gingen sie zurück ins Haus. Sie kochte Tee, und er saß am Fenster und sah zu, wie die Tropfen am
Glas herabliefen. Am Abend kam ein Brief von ihrem Bruder. Es gehe ihm gut, schrieb er, im Frühling komme er nach Hause.
"""
GREEK = "Ο γέρος κοίταζε το ποτάμι για πολλή ώρα πριν μιλήσει, και η κόρη του δεν απάντησε. " * 6
SOURCE = Path(colorsys.__file__).read_text("utf-8")
NAMES = "Mirella\nTobias\nYvette\nOrson\nKlaudia\nJarek\nPhilippa\nZeno\nIngrid\nDmitri\nBeatrix\nHugo\n" * 9
NETWORK = ModelSettings(hidden=8)
FEW = ["--cpu", "--no-preview", "--batch-size", "2", "--seq-length", "8"]
CPU = torch.device("cpu")


def base_of(folder: Path, text: str, settings: PrepareSettings | None = None, network: ModelSettings = NETWORK):
    run = prepare_text(folder, text, settings, name="text")
    return best_base_model(Corpus(run.corpus), Vocabulary.load(run.vocabulary), network)


def test_a_text_in_the_language_of_a_bundled_model(folder):
    base = base_of(folder, ENGLISH)
    assert isinstance(base, BaseModel)
    assert base.run.name in [run.name for run in bundled_models()]
    assert 1 < base.loss < 2


@pytest.mark.parametrize(
    "text", [GERMAN, GREEK, SOURCE, NAMES, TEXT], ids=["German", "Greek", "source", "names", "repetitive"]
)
def test_other_texts_start_from_nothing(folder, text):
    assert base_of(folder, text) is None


@pytest.mark.parametrize("text", [NAMES, GERMAN, TEXT], ids=["names", "German", "repetitive"])
def test_a_short_list_starts_from_a_bundled_model_whatever_its_loss(folder, monkeypatch, text):
    settings = PrepareSettings(documents="line")
    assert base_of(folder, text, settings) is not None
    monkeypatch.setattr(corpus, "SHORT_LIST", 200)
    assert base_of(folder, text, settings) is None


def test_a_list_in_another_script_and_short_documents_that_are_no_lines_start_from_nothing(folder):
    assert base_of(folder, GREEK.replace(",", "\n"), PrepareSettings(documents="line")) is None
    for number, name in enumerate(NAMES.split()):
        (folder / "poems").mkdir(exist_ok=True)
        (folder / "poems" / f"{number}.txt").write_text(name)
    run = prepare([str(folder / "poems")], name="short", documents="file")
    assert best_base_model(Corpus(run.corpus), Vocabulary.load(run.vocabulary), NETWORK) is None


@pytest.mark.parametrize("level", ["byte", "word"])
def test_only_characters_have_a_base_model(folder, level):
    assert base_of(folder, ENGLISH, PrepareSettings(level=level)) is None


def test_a_few_characters_are_too_few_to_measure(folder):
    assert base_of(folder, ENGLISH[:100], PrepareSettings(valid=0, test=0.1)) is None


def test_a_long_text_and_a_large_network_start_from_nothing(folder, monkeypatch):
    assert base_of(folder, ENGLISH, network=ModelSettings(hidden=4096)) is None
    monkeypatch.setattr(base_model, "MOST_TOKENS", 400)
    assert base_of(folder, ENGLISH) is None


def test_a_model_that_has_read_the_text_is_not_used(folder, monkeypatch):
    monkeypatch.setattr(base_model, "LEAST_OF_HELD_OUT", 9.0)
    assert base_of(folder, ENGLISH) is None


def test_the_ends_of_documents_are_read_as_ends_of_lines(folder):
    lines = ENGLISH.replace(". ", ".\n")
    assert base_of(folder, lines, PrepareSettings(documents="line")) is not None


def test_a_bundled_model_that_cannot_be_read_stops_nothing(folder, monkeypatch):
    def damaged():
        (folder / "damaged").mkdir(exist_ok=True)
        (folder / "damaged" / "config.json").write_text("{")
        return [base_model.Run(folder / "damaged", bundled=True), *bundled_models()]

    monkeypatch.setattr(base_model, "bundled_models", damaged)
    assert base_of(folder, ENGLISH) is not None


def test_train_says_what_it_starts_from_and_how_to_turn_that_off(folder):
    run = prepare_text(folder, ENGLISH, name="river")
    result = charrnn("train", "river", *FEW, "--steps", "2")
    (line,) = re.findall(r"^starts from the bundled model .*$", result.stderr, re.M)
    config = Config.load(run.config)
    assert line.startswith(f"starts from the bundled model {config.origin}, which predicts this text with ")
    assert line.endswith("To train from scratch: --from none")
    assert config.origin_bundled
    assert config.preset == "auto"

    resumed = charrnn("train", "river", "--cpu", "--no-preview", "--steps", "3")
    assert "starts from" not in resumed.stderr
    assert checkpoints(run)[-1].step == 3
    refused = charrnn("train", "river", "--steps", "4", "--from", "none")
    assert f"--from none (the run has {config.origin})" in refused.stderr

    restarted = charrnn("train", "river", *FEW, "--steps", "2", "--restart", "--from", "none")
    assert "starts from" not in restarted.stderr
    assert Config.load(run.config).origin is None
    assert charrnn("train", "river", "--cpu", "--no-preview", "--steps", "3", "--from", "none").exit_code == 0


def test_a_short_text_is_trained_until_its_validation_loss_stops_improving(folder):
    for valid, schedule in ((0.2, "plateau"), (0, "cosine")):  # without held-out text, nothing else ends it
        run = prepare_text(folder, NAMES, PrepareSettings(documents="line", valid=valid), name=schedule)
        setup = set_up(run, Request({"steps": 500}), CPU)
        assert setup.base is not None
        assert setup.config.training.schedule == schedule


def test_settings_of_the_network_are_never_replaced(folder):
    run = prepare_text(folder, ENGLISH, name="river")
    for settings in ({"hidden": 12}, {"layers": 1}, {"cell": "gru"}):
        setup = set_up(run, Request(settings | {"steps": 1}), CPU, start_over=True)
        assert (setup.base, setup.config.origin) == (None, None)
        assert settings.items() <= vars(setup.config.model).items()


def test_a_run_with_the_name_of_the_base_model_is_not_mistaken_for_it(folder):
    name = base_of(folder, ENGLISH).run.name
    train_small(prepare_text(folder, ENGLISH, name=name), steps=2)
    river = prepare_text(folder, ENGLISH, name="river")
    before = set_up(river, Request({"steps": 2}), CPU)
    again = set_up(river, Request({}), CPU)  # it was stopped before its first checkpoint
    assert again.config == before.config
    assert again.matched == before.matched
    assert again.state.model.settings.hidden == before.config.model.hidden
