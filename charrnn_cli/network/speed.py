"""How many tokens per second devices train: measured for a moment, or those of the machine of the tables of `auto`."""

import time

import torch
from torch import Tensor

from charrnn_cli.config import Level, ModelSettings
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.network.loss import MOST_LOGITS, cross_entropy
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.precision import number_format
from charrnn_cli.threads import BUSY

# Operations per second of training: on the machine of the tables of `auto`, and on a GPU that is not measured.
REFERENCE_FLOPS: dict[Level, float] = {"char": 2e11, "byte": 2e11, "subword": 2e11, "word": 1.25e11}
GPU_FLOPS = 2e13
SHARE_FOR_MEASURING = 0.02  # of the time of the run
MOST_SECONDS, LEAST_SECONDS = 0.3, 0.1  # of measuring a network; with less, nothing is measured
MEASURED_STEPS = 4  # at most; the fastest one counts
GPU_STREAMS, GPU_TOKENS = 64, 100  # the batch on a GPU

PROBE = ModelSettings(hidden=256, layers=2, embedding=128, dropout=0.0, layer_norm=True)
PROBE_VOCABULARY, PROBE_STREAMS, PROBE_TOKENS = 64, 16, 64
PROBE_FLOPS = 1.6e11  # of the probe on the machine of the tables


def matrix_weights(model: ModelSettings, vocabulary_size: int) -> int:
    """The number of weights that each token is multiplied by."""
    E, H, L = model.embedding, model.hidden, model.layers
    gates = cell_spec(model.cell).gates
    first_layer, other_layers = gates * H * (E + H), (L - 1) * gates * 2 * H * H
    return first_layer + other_layers + H * vocabulary_size


def operations_per_token(model: ModelSettings, vocabulary_size: int) -> int:
    """The operations of training for each token: two per weight in the forward pass, four in the backward pass."""
    return 6 * matrix_weights(model, vocabulary_size)


class Speed:
    """Tokens per second of training: those of a machine that computes this many operations per second."""

    def __init__(self, vocabulary_size: int, flops: float) -> None:
        self.vocabulary_size = vocabulary_size
        self.flops = flops
        self.measured: dict[str, float] = {}  # tokens/s of each network that was timed, such as "2 x 512"

    def tokens_per_second(self, model: ModelSettings) -> float:
        return self.flops / operations_per_token(model, self.vocabulary_size)


class CpuSpeed(Speed):
    """The speed of this machine's CPU, by that of a small network here and on the machine of the tables."""

    def __init__(
        self, level: Level, vocabulary_size: int, processes: int, seconds: float, fixed_threads: bool = False
    ) -> None:
        tokens_per_second = processes * _cpu_tokens_per_second(seconds, fixed_threads)
        factor = tokens_per_second * operations_per_token(PROBE, PROBE_VOCABULARY) / PROBE_FLOPS
        super().__init__(vocabulary_size, factor * REFERENCE_FLOPS[level])
        self.measured[_shape(PROBE)] = tokens_per_second


class GpuSpeed(Speed):
    """The speed of equal GPUs. Each network is timed: on a GPU, a larger one can be hardly slower."""

    def __init__(self, device: torch.device, vocabulary_size: int, gpus: int, seconds: float) -> None:
        super().__init__(vocabulary_size, gpus * GPU_FLOPS)
        self._device, self._gpus, self._seconds = device, gpus, seconds

    def tokens_per_second(self, model: ModelSettings) -> float:
        name = _shape(model)
        if name not in self.measured:
            V = self.vocabulary_size
            streams = max(1, min(GPU_STREAMS, 4 * MOST_LOGITS // (GPU_TOKENS * V)))
            one = measure(model, V, streams, GPU_TOKENS, self._device, self._seconds)
            self.measured[name] = self._gpus * one
        return self.measured[name]


def training_speed(
    device: torch.device,
    level: Level,
    vocabulary_size: int,
    processes: int,
    minutes: float | None,
    fixed_threads: bool = False,
) -> Speed:
    """The speed of a run of `minutes` minutes by several processes, each with such a device.

    It is measured if that takes a small share of the time; a run with another limit needs no speed. With
    `fixed_threads`, the run keeps torch's number of threads on a busy machine too.
    """
    seconds = min(MOST_SECONDS, SHARE_FOR_MEASURING * 60 * (minutes or 0.0))
    if seconds >= LEAST_SECONDS:
        if device.type == "cpu":
            return CpuSpeed(level, vocabulary_size, processes, seconds, fixed_threads)
        return GpuSpeed(device, vocabulary_size, processes, seconds)
    return Speed(vocabulary_size, REFERENCE_FLOPS[level] if device.type == "cpu" else processes * GPU_FLOPS)


def _cpu_tokens_per_second(seconds: float, fixed_threads: bool) -> float:
    """The speed of the probe with all threads, or on a busy machine with one, if that is faster, as in training."""
    probe = PROBE, PROBE_VOCABULARY, PROBE_STREAMS, PROBE_TOKENS, torch.device("cpu"), seconds
    started, computed = time.perf_counter(), time.thread_time()
    speed = measure(*probe)
    share, threads = (time.thread_time() - computed) / (time.perf_counter() - started), torch.get_num_threads()
    if fixed_threads or threads == 1 or share >= BUSY:
        return speed
    torch.set_num_threads(1)
    try:
        return max(speed, measure(*probe))
    finally:
        torch.set_num_threads(threads)


def measure(
    settings: ModelSettings, vocabulary_size: int, streams: int, tokens: int, device: torch.device, seconds: float
) -> float:
    """Trains a network with random weights for this many seconds, or a few steps. Returns tokens per second."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        model = LanguageModel(settings, vocabulary_size).to(device)
        x = torch.zeros(streams, tokens, dtype=torch.int64, device=device)  # (B, T)
        _seconds_of_step(model, x)  # loads libraries and prepares kernels
        times = [_seconds_of_step(model, x)]
        while len(times) < MEASURED_STEPS and sum(times) < seconds:
            times.append(_seconds_of_step(model, x))
    if device.type == "cuda":
        del model, x
        torch.cuda.empty_cache()  # what is kept for reuse would not count as free memory
    return streams * tokens / min(times)


def _seconds_of_step(model: LanguageModel, x: Tensor) -> float:
    numbers = number_format("auto", x.device, model.settings.cell)
    started = time.perf_counter()
    with numbers.step():
        with numbers.forward():
            logits, _ = model(x, model.zero_state(len(x)))  # (B, T, V)
        loss = cross_entropy(logits, x)
        loss.backward()  # type: ignore[no-untyped-call]
    loss.item()  # waits for a GPU
    return time.perf_counter() - started


def _shape(model: ModelSettings) -> str:
    return f"{model.layers} x {model.hidden}"
