import math

import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError
from charrnn_cli.network import loss
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.loss import Score, cross_entropy, cut_streams, perplexity, score_streams
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.ranks import Ranks

CPU = torch.device("cpu")
V = 7


def network(cell: str = "lstm") -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(ModelSettings(cell, hidden=12, layers=2, embedding=4, dropout=0.5), V)


def tokens(count: int):
    return np.random.default_rng(3).integers(V, size=count)


def scored(*arguments, **options) -> tuple[list[float], Score]:
    scoring, shares = score_streams(*arguments, **options), []
    while True:
        try:
            shares.append(next(scoring))
        except StopIteration as end:
            return shares, end.value


def losses_of_one_pass(model: LanguageModel, ids) -> list[float]:
    x = torch.from_numpy(ids)[None]
    with torch.no_grad():
        logits, _ = model.eval()(x[:, :-1], model.zero_state(1))
    return torch.nn.functional.cross_entropy(logits[0], x[0, 1:], reduction="none").tolist()


@pytest.mark.parametrize("count", [2, 3, 64, 65, 66, 300])
@pytest.mark.parametrize("cell", CELLS)
def test_every_target_counts_once(count, cell):
    model, ids = network(cell), tokens(count)
    each = np.zeros(count - 1, np.float32)
    shares, score = scored(model, ids, CPU, each=each)
    expected = losses_of_one_pass(model, ids)
    np.testing.assert_allclose(each, expected, atol=1e-5)
    assert score.loss == pytest.approx(np.mean(expected), abs=1e-5)
    assert score.tokens == count - 1
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("count", [2049, 5003])
def test_streams_score_the_same_as_one_pass(count):
    model, ids = network(), tokens(count)
    each = np.zeros(count - 1, np.float32)
    _, streams = scored(model, ids, CPU, each=each)
    _, one_pass = scored(model, ids, CPU, warm_up=None)
    assert streams.tokens == one_pass.tokens
    assert streams.loss == pytest.approx(one_pass.loss, abs=1e-5)
    np.testing.assert_allclose(each, losses_of_one_pass(model, ids), atol=1e-3)


@pytest.mark.parametrize("targets", [1, 63, 1024, 2048, 2500, 70_000])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_every_target_belongs_to_one_stream_of_one_rank(targets, size):
    found = []
    for rank in range(size):
        streams = cut_streams(targets, 256, V, Ranks(rank, size))
        for _, positions in streams.windows():
            found += positions[(positions >= streams.starts) & (positions < streams.ends)].tolist()
    assert sorted(found) == list(range(targets))


def test_several_ranks_give_the_score_of_one(monkeypatch):
    """The second rank reads streams too, or a stream without targets; its sum is added to that of the first."""
    for count in (500, 5003):
        model, ids = network(), tokens(count)
        expected = scored(model, ids, CPU)[1].loss
        total = 0.0
        for rank in range(2):
            ranks = Ranks(rank, 2)
            monkeypatch.setattr(ranks, "sum", lambda tensor: tensor)
            total += scored(model, ids, CPU, ranks=ranks)[1].loss
        assert total == pytest.approx(expected, abs=1e-6)


def test_the_windows_of_a_large_vocabulary_are_shorter(monkeypatch):
    assert cut_streams(70_000, 256, V).window == loss.SCORING_WINDOW
    assert cut_streams(70_000, 256, 1_000_000).window < loss.SCORING_WINDOW
    model, ids = network(), tokens(3000)
    expected = scored(model, ids, CPU)[1].loss
    monkeypatch.setattr(loss, "MOST_LOGITS", 40)
    assert cut_streams(3000, 256, V).window == 2
    assert scored(model, ids, CPU)[1].loss == pytest.approx(expected, abs=1e-6)


def test_the_best_scale_of_the_logits_makes_the_score():
    model, ids = network(), tokens(1000)
    model.head.weight.data *= 20  # random text: the less confident, the better
    _, plain = scored(model, ids, CPU)
    _, best = scored(model, ids, CPU, scales=(1.0, 0.5, 0.8))
    assert (plain.scale, best.scale) == (1.0, 0.5)
    assert best.loss < plain.loss


def test_ids_outside_of_the_vocabulary_are_refused():
    with pytest.raises(RunError, match="9"):
        scored(network(), np.array([1, 9, 2]), CPU)


def test_a_model_stays_in_its_mode_even_if_scoring_stops_early():
    model = network().train()
    scoring = score_streams(model, tokens(300), CPU)
    next(scoring)
    assert not model.training
    scoring.close()
    assert model.training


def test_the_loss_of_a_batch_ignores_targets_of_minus_100():
    logits, y = torch.randn(2, 5, V), torch.randint(V, (2, 5))
    each = cross_entropy(logits, y, "none")
    assert each.shape == (2, 5)
    assert each[1, 3].item() == pytest.approx(-logits[1, 3].log_softmax(0)[y[1, 3]].item(), abs=1e-6)
    torch.testing.assert_close(cross_entropy(logits, y), each.mean())
    y[0] = -100
    torch.testing.assert_close(cross_entropy(logits, y), each[1].mean())


def test_units():
    score = Score(loss=math.log(4), tokens=1)
    assert (score.bits, score.perplexity) == pytest.approx((2.0, 4.0))
    assert math.isfinite(perplexity(1e9))
