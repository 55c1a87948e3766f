import numpy as np
import pytest
import torch

from charrnn_cli.config import TrainingSettings
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.training.noise import STEPS, Resets, seed_dropout

CPU = torch.device("cpu")


def states(streams):
    return torch.ones(2, streams, 3), torch.ones(2, streams, 3)


def resets(streams, probability, seed=0, ranks=ALONE):
    return Resets(TrainingSettings(steps=1, batch_size=streams, reset=probability, seed=seed), ranks, CPU)


def test_streams_are_reset_at_random():
    h, c = resets(1000, 0.25).apply(states(1000), 7)
    assert torch.equal(h, c)
    assert set(h.unique().tolist()) == {0.0, 1.0}
    assert (h == h[:1, :, :1]).all()  # a stream as a whole
    assert 0.2 < 1 - h.mean() < 0.3
    hidden = states(5)
    assert resets(5, 0.0).apply(hidden, 7) is hidden


def test_the_streams_that_are_reset_depend_on_seed_and_step_but_not_on_the_number_of_ranks():
    (whole,) = resets(100, 0.5, seed=1).apply(states(100)[:1], 2)
    parts = [resets(100, 0.5, 1, Ranks(rank, 2)).apply(states(50)[:1], 2)[0] for rank in range(2)]
    assert torch.equal(whole, torch.cat(parts, 1))
    for seed, step in ((1, 3), (2, 2)):
        assert not torch.equal(whole, resets(100, 0.5, seed).apply(states(100)[:1], step)[0])


def test_the_numbers_of_a_step_do_not_depend_on_the_steps_that_are_drawn_with_it():
    some = resets(20, 0.5, seed=3)
    for step in (STEPS - 1, STEPS, 0, 5 * STEPS + 1, 3):  # also back, as after training diverged
        (h,) = some.apply((torch.ones(1, 20, 1),), step)
        assert h.flatten().tolist() == (np.random.default_rng([3, step]).random(20) >= 0.5).tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_the_host_does_not_wait_between_two_blocks():
    settings = TrainingSettings(steps=1, batch_size=20, reset=0.5)
    some, hidden = Resets(settings, ALONE, torch.device("cuda")), (torch.ones(1, 20, 1, device="cuda"),)
    results = [some.apply(hidden, 0)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        results += [some.apply(hidden, step) for step in range(1, STEPS + 2)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    on_cpu = resets(20, 0.5)
    for step, (h,) in enumerate(results):
        assert torch.equal(h.cpu(), on_cpu.apply((torch.ones(1, 20, 1),), step)[0])


def test_dropout_depends_on_seed_step_and_rank():
    drawn = {}
    for key in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (2**63 - 1, 10**9, 4095), (0, 0, 0)]:
        seed_dropout(*key)
        noise = torch.rand(100)
        assert key not in drawn or torch.equal(drawn[key], noise)
        assert all(torch.equal(noise, other) == (key == known) for known, other in drawn.items())
        drawn[key] = noise
