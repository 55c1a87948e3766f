import itertools

import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.network import speed
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.speed import (
    GPU_FLOPS,
    GPU_STREAMS,
    MEASURED_STEPS,
    PROBE,
    PROBE_FLOPS,
    REFERENCE_FLOPS,
    measure,
    operations_per_token,
    training_speed,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MODEL = ModelSettings(hidden=512)
TINY = ModelSettings(hidden=4, layers=1, embedding=4)


@pytest.fixture(autouse=True)
def may_measure(reference_speed, monkeypatch):
    """The other tests measure nothing."""
    monkeypatch.setattr(speed, "MOST_SECONDS", 0.3)


@pytest.fixture
def measured(monkeypatch):
    """Pretends that every device computes this many operations per second; the settings that were timed."""

    def pretend(flops):
        calls = []

        def pretended(settings, vocabulary_size, streams, *rest):
            calls.append((settings, streams))
            return flops / operations_per_token(settings, vocabulary_size)

        monkeypatch.setattr(speed, "measure", pretended)
        return calls

    return pretend


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_token_takes_six_operations_for_each_weight_of_a_product(cell, layers):
    settings = ModelSettings(cell=cell, hidden=7, layers=layers, embedding=5)
    model = LanguageModel(settings, 11)
    weights = [p for name, p in model.named_parameters() if p.dim() == 2 and not name.startswith("embedding")]
    assert operations_per_token(settings, 11) == 6 * sum(weight.numel() for weight in weights)


@pytest.mark.parametrize("share", [0.25, 0.8, 1.0, 1.3, 8.0])
@pytest.mark.parametrize("level", ["char", "word"])
def test_a_cpu_counts_by_its_speed_compared_with_that_of_the_tables(measured, level, share):
    calls = measured(share * PROBE_FLOPS)
    cpu = training_speed(CPU, level, 80, 1, minutes=1)
    assert cpu.flops == pytest.approx(share * REFERENCE_FLOPS[level])
    assert cpu.tokens_per_second(MODEL) == cpu.flops / operations_per_token(MODEL, 80)
    assert cpu.measured == {"2 x 256": share * PROBE_FLOPS / operations_per_token(PROBE, 64)}
    assert len(calls) == 1


def test_a_busy_machine_counts_by_its_speed_with_one_thread(monkeypatch):
    numbers = []
    monkeypatch.setattr(speed.torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(speed.torch, "set_num_threads", numbers.append)
    monkeypatch.setattr(speed, "measure", lambda *_: 100.0 * (1 + len(numbers)))
    monkeypatch.setattr(speed.time, "perf_counter", iter([0.0, 1.0, 0.0, 10.0]).__next__)
    monkeypatch.setattr(speed.time, "thread_time", iter([0.0, 0.95, 0.0, 2.0]).__next__)
    assert training_speed(CPU, "char", 80, 1, minutes=1).measured == {"2 x 256": 100.0}
    assert numbers == []
    assert training_speed(CPU, "char", 80, 1, minutes=1).measured == {"2 x 256": 200.0}
    assert numbers == [1, 8]


def test_two_processes_of_half_the_speed_count_as_one_machine(measured):
    measured(0.5 * PROBE_FLOPS)
    assert training_speed(CPU, "char", 80, 2, minutes=1).flops == REFERENCE_FLOPS["char"]


def test_a_gpu_times_each_network_once(measured):
    calls = measured(3e12)
    gpus = training_speed(GPU, "char", 80, 2, minutes=1)
    assert calls == []  # nothing was asked yet
    assert gpus.tokens_per_second(MODEL) == gpus.tokens_per_second(MODEL) == 6e12 / operations_per_token(MODEL, 80)
    assert calls == [(MODEL, GPU_STREAMS)]
    assert list(gpus.measured) == ["2 x 512"]


def test_a_large_vocabulary_is_timed_with_fewer_streams(measured):
    calls = measured(3e12)
    training_speed(GPU, "word", 10**6, 1, minutes=1).tokens_per_second(MODEL)
    assert [streams for _, streams in calls] == [1]


@pytest.mark.parametrize("minutes", [None, 0.02, 0.08])
@pytest.mark.parametrize(("device", "flops"), [(CPU, 2e11), (GPU, 3 * GPU_FLOPS)])
def test_a_short_run_and_one_without_a_limit_in_time_measure_nothing(measured, minutes, device, flops):
    calls = measured(1.0)
    unmeasured = training_speed(device, "char", 80, 3, minutes)
    assert unmeasured.tokens_per_second(MODEL) == flops / operations_per_token(MODEL, 80)
    assert (calls, unmeasured.measured) == ([], {})


def timed(monkeypatch, seconds):
    """Pretends that the steps take these seconds, the last one for ever; the steps that were taken."""
    taken = []
    rest = itertools.chain(seconds, itertools.repeat(seconds[-1]))

    def step(*_):
        taken.append(next(rest))
        return taken[-1]

    monkeypatch.setattr(speed, "_seconds_of_step", step)
    return taken


@pytest.mark.parametrize(
    ("seconds", "steps", "fastest"),
    [
        ((3.0, 0.02, 0.01, 0.03), MEASURED_STEPS, 0.01),  # the first step loads libraries, and does not count
        ((0.1, 0.06, 0.07), 2, 0.06),
        ((0.1, 0.2), 1, 0.2),
    ],
)
def test_measuring_ends_after_a_moment_and_the_fastest_step_counts(monkeypatch, seconds, steps, fastest):
    taken = timed(monkeypatch, seconds)
    assert measure(TINY, 9, 8, 10, CPU, 0.1) == 8 * 10 / fastest
    assert len(taken) == 1 + steps


def test_measuring_leaves_the_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert measure(TINY, 9, 2, 4, CPU, 0.01) > 0
    assert torch.rand(1) == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_is_measured_and_its_memory_given_back():
    before = torch.cuda.memory_reserved()
    assert training_speed(GPU, "char", 80, 1, minutes=1).tokens_per_second(MODEL) > 1000
    assert torch.cuda.memory_reserved() <= before
