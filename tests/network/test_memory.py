import dataclasses
import math

import pytest
import torch

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import DeviceError
from charrnn_cli.network.memory import memory_beside_training, memory_errors, memory_needed
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.ranks import Ranks

MODEL = ModelSettings(hidden=512)
TRAINING = TrainingSettings(batch_size=64, seq_length=128, steps=1)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=str,
)
def test_a_full_memory_is_reported_with_advice(error):
    with pytest.raises(DeviceError, match=r"the memory is full\. Buy more\."), memory_errors("Buy more."):
        raise error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="something else"), memory_errors("Buy more."):
        raise RuntimeError("something else")


def test_smaller_parts_of_a_batch_need_less_memory():
    whole = memory_needed(MODEL, TRAINING, 100, 10_000)
    halves = memory_needed(MODEL, dataclasses.replace(TRAINING, accumulate=2), 100, 10_000)
    assert halves < whole
    assert memory_needed(MODEL, TRAINING, 100, 20_000) - whole == 28 * 10_000


def test_the_estimate_for_a_known_training():
    tokens, V = 64 * 128, 100
    layers, logits = 4 * 13 * tokens * 2 * 512, 4 * (5 * tokens * V + 4 * 64 * 64 * V)
    assert memory_needed(MODEL, TRAINING, V, 10_000) == 340e6 + 280_000 + layers + logits


def test_what_training_leaves_is_shared_by_nobody_else(monkeypatch):
    """The ids of the text and training together take at most a share of the free memory."""
    monkeypatch.setattr("charrnn_cli.network.memory.free_memory", lambda device: 10e9)
    model, device = LanguageModel(MODEL, 100), torch.device("cuda")
    own = dataclasses.replace(TRAINING, batch_size=32)
    needed = memory_needed(MODEL, own, 100, model.parameter_count)
    assert memory_beside_training(model, TRAINING, device, Ranks(0, 2)) == pytest.approx(0.8 * 10e9 - needed)
    monkeypatch.setattr("charrnn_cli.network.memory.free_memory", lambda device: 1e6)
    assert memory_beside_training(model, TRAINING, device, Ranks(0, 2)) == 0
    monkeypatch.setattr("charrnn_cli.network.memory.free_memory", lambda device: math.inf)
    assert memory_beside_training(model, TRAINING, device, Ranks()) == math.inf
