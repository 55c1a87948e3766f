import json

import numpy as np
import pytest
import torch
from support import TEXT, charrnn, prepare_text, train_small

from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import find_run
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.text.vocabulary import EOD, Vocabulary
from charrnn_cli.training.transfer import matched_ids, transfer

OTHER = TEXT.replace("fox", "Ünicorn #7").replace("dog", "cat") * 3


@pytest.mark.parametrize("embedding", [8, 0, 16])
def test_known_tokens_keep_their_meaning_under_new_ids(fox, embedding):
    settings = ModelSettings(hidden=16, layers=1, embedding=embedding, tie_weights=embedding == 16)
    old = Vocabulary("char", tuple("abcdef"))
    new = Vocabulary("char", tuple("xfdbz"))
    torch.manual_seed(0)
    weights = get_weights(LanguageModel(settings, len(old)))
    train_small(fox)
    origin = load_model(fox)
    origin = type(origin)(settings, old, weights, origin.summary, origin.text)
    network = LanguageModel(settings, len(new))
    matched = transfer(origin, "fox", network, new)
    assert (matched.kept, matched.new, matched.left) == (3, 2, 3)
    before, after = NumpyEngine(weights, settings), NumpyEngine(get_weights(network), settings)
    states = [before.start(1), after.start(1)]
    for token in "bdfbf":
        logits, states[0] = before.step(np.array([old.ids[token]]), states[0])
        moved, states[1] = after.step(np.array([new.ids[token]]), states[1])
        for known in "fdb":
            assert moved[0, new.ids[known]] == pytest.approx(logits[0, old.ids[known]], abs=1e-5)


@pytest.mark.parametrize("embedding", [8, 0])
def test_a_new_character_starts_as_the_most_similar_one_but_unlikely(fox, embedding):
    train_small(fox)
    origin = load_model(fox)
    settings = ModelSettings(hidden=16, layers=1, embedding=embedding)
    old, new = Vocabulary("char", tuple("aeb")), Vocabulary("char", tuple("e\u4e2d\u00e9"))
    torch.manual_seed(0)
    origin = type(origin)(settings, old, get_weights(LanguageModel(settings, len(old))), origin.summary, origin.text)
    network = LanguageModel(settings, len(new))
    matched = transfer(origin, "fox", network, new)
    assert (matched.kept, matched.new, matched.left) == (1, 2, 2)
    engine = NumpyEngine(get_weights(network), settings)
    logits, after_known = engine.step(np.array([0]), engine.start(1))
    lowest = get_weights(network)["head.bias"].min()
    assert logits[0, 2] - logits[0, 0] == pytest.approx(lowest - get_weights(network)["head.bias"][0], abs=1e-5)
    after_new = engine.step(np.array([2]), engine.start(1))[1]
    assert engine.to_array(after_new) == pytest.approx(engine.to_array(after_known), abs=1e-6)


def test_the_end_of_a_document_is_matched_to_the_end_of_a_line_unless_it_is_known():
    text, ends = Vocabulary("char", ("a", "\n", "b")), Vocabulary("char", (EOD, "b", "\n"), end=0)
    assert matched_ids(ends, text).tolist() == [1, 2, 1]
    assert matched_ids(Vocabulary("char", (EOD, "c"), end=0), ends).tolist() == [0, -1]
    assert matched_ids(Vocabulary("char", ("b", EOD), end=1), Vocabulary("char", ("a", "b"))).tolist() == [1, -1]


def test_an_end_of_line_may_match_two_tokens(fox):
    train_small(fox)
    origin = load_model(fox)
    vocabulary = Vocabulary("char", (EOD, "\n", "q", "Ü"), end=0)
    matched = transfer(origin, "fox", LanguageModel(origin.settings, len(vocabulary)), vocabulary)
    assert (matched.kept, matched.new, matched.left) == (3, 1, len(origin.vocabulary) - 2)


def test_a_similar_text_is_learned_faster(folder, fox):
    train_small(fox, steps=150)
    new = prepare_text(folder, OTHER, name="new")
    typed = ["train", "new", "--cpu", "--no-preview", "--batch-size", "4", "--seq-length", "16", "--steps", "12"]
    started = charrnn(*typed, "--from", "fox")
    assert "from fox: " in started.stderr
    assert " new" in started.stderr
    config = Config.load(new.config)
    assert (config.origin, config.model.hidden, config.model.layers) == ("fox", 16, 1)
    tuned = json.loads(charrnn("info", "new", "--json").stdout)["best"]["valid_loss"]
    small = ["--hidden", "16", "--layers", "1", "--embedding", "16", "--restart"]
    charrnn(*typed, *small)
    untrained = json.loads(charrnn("info", "new", "--json").stdout)["best"]["valid_loss"]
    assert tuned < untrained - 0.3


def test_a_fine_tuned_run_resumes_and_refuses_another_origin(folder, trained):
    new = prepare_text(folder, OTHER, name="new")
    charrnn("train", "new", "--cpu", "--no-preview", "--batch-size", "4", "--steps", "4", "--from", "fox")
    assert charrnn("train", "new", "--cpu", "--no-preview", "--steps", "6").exit_code == 0
    assert checkpoints(new)[-1].step == 6
    refused = charrnn("train", "new", "--cpu", "--steps", "8", "--from", "anna")
    assert refused.exit_code == 2
    assert "--from anna (the run has fox)" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--hidden", "99"], "Leave out --hidden"),
        (["--preset", "anna"], "--preset anna and --from anna have different networks"),
        (["--from", "shakespeare"], "--level word"),
        (["--from", "nobody"], "nobody"),
    ],
)
def test_flags_that_contradict_the_origin_are_refused(fox, flags, message):
    result = charrnn("train", "fox", "--cpu", "--steps", "3", "--from", "anna", *flags)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not fox.config.exists()


def test_texts_without_a_common_token(folder, trained):
    other = prepare_text(folder, "ΑΒΓΔ" * 99, PrepareSettings(valid=0, test=0), name="greek")
    network = LanguageModel(load_model(trained).settings, 4)
    with pytest.raises(UsageError, match="nothing in common"):
        transfer(load_model(find_run("fox")), "fox", network, Vocabulary.load(other.vocabulary))
