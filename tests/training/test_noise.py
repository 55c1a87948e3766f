import torch

from charrnn_cli.training.noise import reset, seed_dropout


def states(streams):
    return torch.ones(2, streams, 3), torch.ones(2, streams, 3)


def test_streams_are_reset_at_random():
    h, c = reset(states(1000), slice(0, 1000), 1000, 0.25, seed=0, step=7)
    assert torch.equal(h, c)
    assert set(h.unique().tolist()) == {0.0, 1.0}
    assert (h == h[:1, :, :1]).all()  # a stream as a whole
    assert 0.2 < 1 - h.mean() < 0.3
    hidden = states(5)
    assert reset(hidden, slice(0, 5), 5, 0.0, seed=0, step=7) is hidden


def test_which_streams_are_reset_depends_on_seed_and_step_not_on_who_has_them():
    (whole,) = reset(states(100)[:1], slice(0, 100), 100, 0.5, seed=1, step=2)
    parts = [reset((torch.ones(2, 50, 3),), mine, 100, 0.5, seed=1, step=2)[0] for mine in (slice(50), slice(50, 100))]
    assert torch.equal(whole, torch.cat(parts, 1))
    for seed, step in ((1, 3), (2, 2)):
        assert not torch.equal(whole, reset(states(100)[:1], slice(0, 100), 100, 0.5, seed=seed, step=step)[0])


def test_dropout_depends_on_seed_step_and_rank():
    drawn = {}
    for key in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (2**63 - 1, 10**9, 4095), (0, 0, 0)]:
        seed_dropout(*key)
        noise = torch.rand(100)
        assert key not in drawn or torch.equal(drawn[key], noise)
        assert all(torch.equal(noise, other) == (key == known) for known, other in drawn.items())
        drawn[key] = noise
