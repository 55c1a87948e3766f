import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from charrnn_cli.config import ModelSettings
from charrnn_cli.network.adaptation import (
    DAMPING,
    MEMORY,
    PULL,
    RATE,
    WORD_RATE,
    AdaptiveNetwork,
    adaptive_network,
)
from charrnn_cli.network.loss import score_streams
from charrnn_cli.network.model import LanguageModel, get_weights, trained_model
from charrnn_cli.runs.models import load_model

CPU = torch.device("cpu")


def small_model() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(ModelSettings(hidden=8, layers=1, embedding=4), 6).eval()


def mean_loss(network, ids) -> float:
    scoring = score_streams(network, ids, CPU, warm_up=None)
    while True:
        try:
            next(scoring)
        except StopIteration as end:
            return end.value.loss


def test_the_loss_is_that_of_the_update_written_out():
    ids = torch.randint(6, (50,), generator=torch.Generator().manual_seed(1))
    model, segment = small_model(), 4
    loss = mean_loss(AdaptiveNetwork(copy.deepcopy(model), segment=segment), ids.numpy())
    weights, first = list(model.parameters()), [weight.clone() for weight in model.parameters()]
    squares = [torch.zeros_like(weight) for weight in first]
    state, total = model.zero_state(1), 0.0
    for k, start in enumerate(range(0, 49, segment), 1):
        x, y = ids[start : min(start + segment, 49)], ids[start + 1 : start + 1 + segment]
        logits, state = model(x[None], tuple(part.detach() for part in state))
        total += F.cross_entropy(logits[0], y, reduction="sum").item()
        if len(x) > 1:
            gradients = torch.autograd.grad(F.cross_entropy(logits[0, :-1], x[1:]), weights)
            squares = [MEMORY * old + (1 - MEMORY) * g * g for old, g in zip(squares, gradients, strict=True)]
            with torch.no_grad():
                for weight, g, square, original in zip(weights, gradients, squares, first, strict=True):
                    rms = ((square + DAMPING * square.mean()) / (1 - MEMORY**k)).sqrt()
                    weight -= RATE * len(x) / segment * g / (rms + 1e-8)
                    weight += PULL * len(x) / segment * (original - weight)
    assert loss == pytest.approx(total / 49, abs=1e-6)


def test_a_text_that_repeats_itself_becomes_likelier():
    ids = torch.tensor([0, 1, 2, 3, 4, 5] * 100).numpy()
    plain, adapted = small_model(), AdaptiveNetwork(small_model(), rate=3e-2)
    assert mean_loss(adapted, ids) < mean_loss(plain, ids) - 0.1


def test_a_model_of_words_learns_at_a_higher_rate(trained):
    stored = load_model(trained)
    ids = torch.arange(len(stored.vocabulary))[None]

    def learned(network):
        network(ids, network.zero_state(1))
        return get_weights(network.model)["head.bias"]

    for level, rate in (("char", RATE), ("word", WORD_RATE)):
        model = replace(stored, vocabulary=replace(stored.vocabulary, level=level))
        expected = AdaptiveNetwork(trained_model(stored.settings, stored.weights, CPU), rate)
        assert learned(adaptive_network(model, CPU)) == pytest.approx(learned(expected), abs=1e-7)
