import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from charrnn_cli.config import ModelSettings
from charrnn_cli.network import loss
from charrnn_cli.network.loss import Score
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.training.evaluation import LEAST_CALIBRATION, LOGIT_SCALES, evaluate

CPU = torch.device("cpu")
V = 7


def network() -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(ModelSettings(hidden=12, layers=2, embedding=4, dropout=0.5, residual=True), V)


def loss_in_float64(weights, tokens) -> float:
    """The mean loss of one pass, an LSTM written out in float64."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    h, c, total = np.zeros((2, 12)), np.zeros((2, 12)), 0.0
    for token, target in pairwise(tokens):
        x = w["embedding.weight"][token]
        for k in range(2):
            gates = w[f"rnn.weight_ih_l{k}"] @ x + w[f"rnn.weight_hh_l{k}"] @ h[k]
            i, f, g, o = np.split(gates + w[f"rnn.bias_ih_l{k}"] + w[f"rnn.bias_hh_l{k}"], 4)
            c[k] = c[k] / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h[k] = np.tanh(c[k]) / (1 + np.exp(-o))
            x = x + h[k] if len(x) == 12 else h[k]
        logits = w["head.weight"] @ x + w["head.bias"]
        total += math.log(np.exp(logits).sum()) - logits[target]
    return total / (len(tokens) - 1)


@pytest.mark.parametrize("count", [2, 3, 63, 64, 65, 66, 700])
def test_every_target_counts_once_as_in_float64(count):
    model, tokens = network(), np.random.default_rng(2).integers(V, size=count)
    score = evaluate(model, tokens, CPU)
    assert score.tokens == count - 1
    assert score.loss == pytest.approx(loss_in_float64(get_weights(model), tokens.tolist()), abs=1e-5)


@pytest.mark.parametrize("count", [2049, 2500, 5003])
def test_streams_side_by_side_score_as_one_pass_does(count, monkeypatch):
    model, tokens = network(), np.random.default_rng(3).integers(V, size=count)
    side_by_side = evaluate(model, tokens, CPU)
    monkeypatch.setattr(loss, "MOST_STREAMS", 1)
    one = evaluate(model, tokens, CPU)
    assert side_by_side.tokens == one.tokens
    assert side_by_side.loss == pytest.approx(one.loss, abs=1e-5)


def test_calibration_takes_the_best_scale_of_the_logits():
    """On random text, a model that is too sure of itself gets the smallest scale."""
    model, tokens = network(), np.random.default_rng(3).integers(V, size=LEAST_CALIBRATION + 1)
    model.head.weight.data *= 20
    plain, calibrated = evaluate(model, tokens, CPU), evaluate(model, tokens, CPU, calibrate=True)
    assert (plain.scale, calibrated.scale) == (1.0, min(LOGIT_SCALES))
    assert calibrated.loss < plain.loss
    model.scale = calibrated.scale
    assert evaluate(model, tokens, CPU).loss == pytest.approx(calibrated.loss, abs=1e-6)


def test_the_loss_of_a_short_text_is_that_without_the_scale_that_was_chosen_on_it():
    model, tokens = network(), np.random.default_rng(3).integers(V, size=LEAST_CALIBRATION)
    model.head.weight.data *= 20
    plain, calibrated = evaluate(model, tokens, CPU), evaluate(model, tokens, CPU, calibrate=True)
    assert calibrated.scale == min(LOGIT_SCALES)
    assert calibrated.loss == pytest.approx(plain.loss)


class Reads(TorchDispatchMode):
    """Counts how often a number is read from a tensor, which waits for a GPU."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "_local_scalar_dense" in str(func)
        return func(*args, **(kwargs or {}))


def test_the_losses_are_summed_on_the_device_and_read_at_the_end():
    model, tokens = network(), np.random.default_rng(3).integers(V, size=3000)
    with Reads() as reads:
        torch.ones(1).item()
        assert reads.count == 1
        evaluate(model, tokens, CPU, calibrate=True)
    assert reads.count <= 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_gives_the_loss_of_the_cpu_and_the_same_scale():
    model, tokens = network(), np.random.default_rng(3).integers(V, size=3000)
    expected = evaluate(model, tokens, CPU, calibrate=True)
    score = evaluate(model.to("cuda"), tokens, torch.device("cuda"), calibrate=True)
    assert score.loss == pytest.approx(expected.loss, abs=1e-5)
    assert score.scale == expected.scale


def test_it_stops_when_asked_and_leaves_the_model_as_it_was():
    model = network().train()
    assert evaluate(model, np.zeros(100, np.uint8), CPU, stop=lambda: True) is None
    assert model.training


def test_units():
    score = Score(loss=math.log(4), tokens=1)
    assert (score.bits, score.perplexity) == pytest.approx((2.0, 4.0))
