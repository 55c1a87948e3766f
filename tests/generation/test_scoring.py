import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from support import TEXT, prepare_text, train_small

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.model import load
from charrnn_cli.generation.scoring import TextScore, score_text, scoring_device
from charrnn_cli.network.adaptation import SEGMENT
from charrnn_cli.runs.models import load_model
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.scorable import read_split
from charrnn_cli.threads import steady_threads

CPU = torch.device("cpu")


def losses_in_float64(weights, tokens, residual: bool, tied: bool) -> list[float]:
    """The loss of every target in one pass of an LSTM written out in float64."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    h = c = np.zeros(w["rnn.weight_hh_l0"].shape[1])
    losses = []

    def normed(x, k):
        if f"rnn.norm_weight_l{k}" not in w:
            return x
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w[f"rnn.norm_weight_l{k}"] + w[f"rnn.norm_bias_l{k}"]

    for token, target in pairwise(tokens):
        x = w["embedding.weight"][token]
        gates = (
            w["rnn.weight_ih_l0"] @ normed(x, 0) + w["rnn.weight_hh_l0"] @ h + w["rnn.bias_ih_l0"] + w["rnn.bias_hh_l0"]
        )
        i, f, g, o = np.split(gates, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        output = x + h if residual else h
        logits = w["embedding.weight" if tied else "head.weight"] @ normed(output, 1) + w["head.bias"]
        logits *= w["head.scale"]
        losses.append(math.log(np.exp(logits).sum()) - logits[target])
    return losses


@pytest.mark.parametrize("level", ["char", "word"])
def test_scores_equal_those_of_a_single_pass_in_float64(folder, level):
    run = prepare_text(folder, TEXT * 8, PrepareSettings(level=level, test=0.7))
    train_small(run)
    model = load_model(run)
    reading = read_split(Corpus(run.corpus).split("test"), model.vocabulary, by_line=True)
    losses = losses_in_float64(model.weights, reading.ids.tolist(), model.settings.residual, model.settings.tie_weights)
    for exact in (True, False):
        *shares, score = score_text(model, reading, CPU, exact)
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        check_score(score, losses, reading)


def check_score(score, losses, reading):
    """Compares a score with the losses of all tokens, in nats."""
    assert isinstance(score, TextScore)
    mean = sum(losses) / len(losses)
    assert score.tokens == len(losses) == len(reading.ids) - 1
    assert score.loss == pytest.approx(mean, abs=1e-4)
    assert score.perplexity == pytest.approx(math.exp(mean), abs=1e-3)
    assert score.bits_per_character == pytest.approx(sum(losses) / math.log(2) / reading.characters, abs=1e-4)
    bits = sum(one.bits_per_character * line.characters for one, line in zip(score.lines, reading.lines, strict=True))
    assert bits == pytest.approx(score.bits_per_character * reading.characters, rel=1e-4)
    start = 0
    for line in score.lines:
        assert line.loss == pytest.approx(sum(losses[start : start + line.tokens]) / line.tokens, abs=1e-3)
        start += line.tokens
    assert start == len(losses)


def test_corrupt_weights_are_an_error(trained):
    model = load_model(trained)
    model.weights["head.bias"][3] = np.nan
    with pytest.raises(RunError, match="corrupt"):
        list(score_text(model, read_split(Corpus(trained.corpus).split("test"), model.vocabulary, False), CPU))


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_only_torch_scores_on_a_device(engine):
    assert scoring_device(engine, gpu=False, cpu=False, device=None) == CPU
    assert scoring_device("torch", gpu=False, cpu=True, device=None) == CPU
    with pytest.raises(UsageError, match=f"`engine={engine}` computes on the CPU only. Leave out `gpu`"):
        scoring_device(engine, gpu=True, cpu=False, device=None)
    with pytest.raises(UsageError, match="Leave out `device=cpu`"):
        scoring_device(engine, gpu=False, cpu=False, device="cpu")


def test_an_engine_gives_the_same_score_as_torch(trained):
    model = load_model(trained)
    text = read_split(Corpus(trained.corpus).split("test"), model.vocabulary, by_line=True)
    scores = [list(score_text(model, text, CPU, engine=engine))[-1] for engine in ("torch", "numpy")]
    assert [score.engine for score in scores] == ["torch", "NumPy"]
    assert scores[0].loss == pytest.approx(scores[1].loss, abs=1e-5)
    assert [line.tokens for line in scores[0].lines] == [line.tokens for line in scores[1].lines]


def test_the_threads_of_numpy_follow_the_load_while_it_scores(fox, monkeypatch):
    watched = []

    def watch(number):
        watched.append(number)
        return steady_threads()

    monkeypatch.setattr("charrnn_cli.generation.scoring.blas_threads", watch)
    train_small(fox, steps=3)
    model = load_model(fox)
    text = read_split(Corpus(fox.corpus).split("valid"), model.vocabulary, by_line=False)
    list(score_text(model, text, CPU, engine="numpy"))
    assert watched == [None]


def test_what_adaptation_learns_is_forgotten_after_the_text(trained):
    model = load(trained, engine="torch", threads=1)
    text = "the quick brown fox " * 20
    plain, adapted, again = model.score(text), model.score(text, adapt=True), model.score(text)
    assert plain.scores == again.scores
    assert adapted.loss < plain.loss
    assert (plain.adapted, adapted.adapted) == (False, True)
    first = [[one.log_probability for one in score.scores[:SEGMENT]] for score in (plain, adapted)]
    assert first[0] == pytest.approx(first[1], abs=1e-4)  # nothing is learned yet


def test_only_torch_adapts(trained):
    with pytest.raises(UsageError, match="engine=torch"):
        load(trained, engine="numpy").score("the quick brown fox", adapt=True)
