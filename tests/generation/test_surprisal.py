from itertools import chain

import numpy as np
import pytest
import torch
from support import TEXT, prepare_text, train_small

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError
from charrnn_cli.generation import surprisal as module
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.scoring import scoring_network
from charrnn_cli.generation.scoring_input import file_parts
from charrnn_cli.generation.surprisal import Predictor, surprisal_steps, token_surprisals
from charrnn_cli.runs.models import load_model

CPU = torch.device("cpu")
LEVELS = [{"level": "char"}, {"level": "byte"}, {"level": "word"}, {"level": "char", "documents": "line"}]


def trained(folder, **settings):
    run = prepare_text(folder, TEXT, PrepareSettings(**settings))
    train_small(run, steps=3)
    return load_model(run)


def read(model, files, longest=64, **changes):
    network, _, threads = scoring_network(model, CPU, "torch", None)
    predictor = Predictor(network, model.vocabulary, CPU, threads)
    predictor.longest = longest
    return surprisal_steps(
        predictor, file_parts(files, model, dict(model.vocabulary.marks), **changes), model.vocabulary
    )


def in_numpy(model, tokens):
    """Surprisal, entropy and rank of each token of a document, by the softmax of the logits of single steps."""
    engine = NumpyEngine(model.weights, model.settings)
    state, last = engine.start(1), first_token(model.vocabulary)
    for token in tokens:
        logits, state = engine.step(np.array([last]), state)
        p = np.exp(logits[0].astype(np.float64))
        p /= p.sum()
        last = model.vocabulary.ids[token]
        yield -np.log2(p[last]), -(p * np.log2(p)).sum(), sum(p > p[last]) + 1


@pytest.mark.parametrize("settings", LEVELS, ids=str)
def test_it_is_the_softmax_of_the_logits_of_single_steps_from_the_first_token_on(folder, settings):
    model = trained(folder, **settings)
    (folder / "new.txt").write_text("The lazy dog jumps.\nPack my box!\n" * 3)
    rows = list(token_surprisals(read(model, ["new.txt"])))
    documents = [[]]
    for row in rows:
        documents[-1].append(row.token)
        if row.token == "<eod>":
            documents.append([])
    expected = chain.from_iterable(in_numpy(model, tokens) for tokens in documents)
    for row, values in zip(rows, expected, strict=True):
        assert (row.surprisal, row.entropy, row.rank) == pytest.approx(values, abs=1e-4)
        assert row.unknown is False
    assert len(rows) > 30
    assert sorted({row.line for row in rows}) == [1, 2, 3, 4, 5, 6]


def test_windows_change_nothing(fox, folder):
    train_small(fox, steps=3)
    model = load_model(fox)
    (folder / "new.txt").write_text(TEXT[:100])
    for one, other in zip(read(model, ["new.txt"]), read(model, ["new.txt"], longest=7), strict=True):
        assert one.word_end == pytest.approx(other.word_end, abs=1e-4)
        assert one.token is other.token is None or one.token[:3] == other.token[:3]
        assert one.token is None or one.token[3:5] == pytest.approx(other.token[3:5], abs=1e-4)


@pytest.mark.parametrize("level", ["char", "word"])
def test_streams_side_by_side_predict_what_a_single_pass_does(folder, monkeypatch, level):
    monkeypatch.setattr(module, "LONG_WARM_UP", 64)
    model = trained(folder, level=level)
    tokens = 1111 if level == "char" else 303  # streams do not divide them evenly
    ids = np.arange(tokens, dtype=np.int32) ** 2 % len(model.vocabulary)
    network, _, threads = scoring_network(model, CPU, "torch", None)
    predictors = [Predictor(network, model.vocabulary, CPU, threads, exact) for exact in (False, True)]
    for _ in range(2):  # the second part continues the first
        streams, single = (np.array(predictor.read(ids)) for predictor in predictors)
        assert streams == pytest.approx(single, abs=1e-3)
    assert predictors[0].word_end() == pytest.approx(predictors[1].word_end(), abs=1e-3)


@pytest.mark.parametrize("settings", [{}, {"documents": "line"}], ids=str)
def test_a_document_is_read_as_if_it_was_alone(folder, settings):
    model = trained(folder, **settings)
    (folder / "two.txt").write_text("The quick fox\n\nThe quick fox\n")
    rows = list(token_surprisals(read(model, ["two.txt"], documents="line")))
    first, second = ([row for row in rows if row.line == line] for line in (1, 2))
    assert [row[1:] for row in first] == [row[1:] for row in second]
    assert [row.position for row in first] == list(range(1, len(first) + 1))
    end = ["<eod>"] if settings else []
    assert [row.token for row in first] == [*"The quick fox", *end]


def test_rows_come_before_the_rest_of_the_text_is_read(fox, folder):
    train_small(fox, steps=3)
    model = load_model(fox)
    (folder / "a.txt").write_text("The")
    network, _, threads = scoring_network(model, CPU, "torch", None)

    def parts():
        yield from file_parts(["a.txt"], model, {})
        raise KeyboardInterrupt

    rows = surprisal_steps(Predictor(network, model.vocabulary, CPU, threads), parts(), model.vocabulary)
    assert [next(rows).token.token for _ in range(3)] == ["T", "h", "e"]
    with pytest.raises(KeyboardInterrupt):
        next(rows)


def test_what_the_model_reads_as_unk_says_so(folder):
    model = trained(folder, level="word", min_count=21)
    (folder / "new.txt").write_text("the zebra")
    rows = list(token_surprisals(read(model, ["new.txt"])))
    assert [(row.token, row.unknown) for row in rows] == [("the", True), ("zebra", True)]


def test_a_text_without_tokens_and_corrupt_weights_are_errors(fox, folder):
    train_small(fox, steps=3)
    model = load_model(fox)
    (folder / "empty.txt").write_text("")
    with pytest.raises(TextError, match="no tokens"):
        list(read(model, ["empty.txt"]))
    model.weights["head.bias"][3] = np.nan
    with pytest.raises(RunError, match="corrupt"):
        list(read(model, ["fox.txt"]))
