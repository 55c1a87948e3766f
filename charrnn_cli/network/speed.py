"""The speed at which this machine trains, compared with the one on which the tables of `auto` were measured."""

import time
from functools import cache

import torch
from torch import Tensor

from charrnn_cli.config import ModelSettings
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.network.loss import cross_entropy
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.precision import use_bfloat16

PROBE = ModelSettings(hidden=256, layers=2, embedding=128, dropout=0.0, layer_norm=True)
PROBE_VOCABULARY, PROBE_STREAMS, PROBE_TOKENS = 64, 16, 64
PROBE_STEPS, PROBE_SECONDS = 3, 0.3  # the probe ends with either
REFERENCE_FLOPS = 1.6e11  # of the probe on the machine of the tables
SAME_MACHINE = 1.5  # speeds that differ by a smaller factor count as equal, or noise would change what `auto` chooses


def operations_per_token(model: ModelSettings, vocabulary_size: int) -> int:
    """The operations of training for each token: two per weight in the forward pass, four in the backward pass."""
    E, H, L = model.embedding, model.hidden, model.layers
    gates = cell_spec(model.cell).gates
    first_layer, other_layers = gates * H * (E + H), (L - 1) * gates * 2 * H * H
    return 6 * (first_layer + other_layers + H * vocabulary_size)


@cache
def relative_cpu_speed() -> float:
    """How many times as fast as the reference the CPU trains a small network; 1 if about as fast."""
    speed = _probe_flops() / REFERENCE_FLOPS
    return 1.0 if 1 / SAME_MACHINE < speed < SAME_MACHINE else speed


def _probe_flops() -> float:
    """Operations per second in the fastest of a few steps."""
    x = torch.zeros(PROBE_STREAMS, PROBE_TOKENS, dtype=torch.int64)  # (B, T)
    with torch.random.fork_rng():
        model = LanguageModel(PROBE, PROBE_VOCABULARY)
        _seconds_of_step(model, x)  # warms up
        seconds = [_seconds_of_step(model, x)]
        while len(seconds) < PROBE_STEPS and sum(seconds) < PROBE_SECONDS:
            seconds.append(_seconds_of_step(model, x))
    return operations_per_token(PROBE, PROBE_VOCABULARY) * x.numel() / min(seconds)


def _seconds_of_step(model: LanguageModel, x: Tensor) -> float:
    started = time.perf_counter()
    bfloat16 = use_bfloat16("auto", x.device, PROBE.cell)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits, _ = model(x, model.zero_state(len(x)))  # (B, T, V)
    cross_entropy(logits, x).backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - started
