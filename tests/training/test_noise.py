import torch

from charrnn_cli.config import TrainingSettings
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.training.noise import reset_streams, seed_dropout


def states(streams):
    return torch.ones(2, streams, 3), torch.ones(2, streams, 3)


def settings(streams, probability, seed=0):
    return TrainingSettings(steps=1, batch_size=streams, reset=probability, seed=seed)


def test_streams_are_reset_at_random():
    h, c = reset_streams(states(1000), settings(1000, 0.25), 7, ALONE)
    assert torch.equal(h, c)
    assert set(h.unique().tolist()) == {0.0, 1.0}
    assert (h == h[:1, :, :1]).all()  # a stream as a whole
    assert 0.2 < 1 - h.mean() < 0.3
    hidden = states(5)
    assert reset_streams(hidden, settings(5, 0.0), 7, ALONE) is hidden


def test_the_streams_that_are_reset_depend_on_seed_and_step_but_not_on_the_number_of_ranks():
    (whole,) = reset_streams(states(100)[:1], settings(100, 0.5, seed=1), 2, ALONE)
    parts = [reset_streams(states(50)[:1], settings(100, 0.5, seed=1), 2, Ranks(rank, 2))[0] for rank in range(2)]
    assert torch.equal(whole, torch.cat(parts, 1))
    for seed, step in ((1, 3), (2, 2)):
        assert not torch.equal(whole, reset_streams(states(100)[:1], settings(100, 0.5, seed), step, ALONE)[0])


def test_dropout_depends_on_seed_step_and_rank():
    drawn = {}
    for key in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (2**63 - 1, 10**9, 4095), (0, 0, 0)]:
        seed_dropout(*key)
        noise = torch.rand(100)
        assert key not in drawn or torch.equal(drawn[key], noise)
        assert all(torch.equal(noise, other) == (key == known) for known, other in drawn.items())
        drawn[key] = noise
