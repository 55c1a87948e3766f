import dataclasses

import pytest
import torch

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import DeviceError
from charrnn_cli.network.memory import memory_errors, memory_needed

MODEL = ModelSettings(hidden=512)
TRAINING = TrainingSettings(batch_size=64, seq_length=128, steps=1)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("cannot allocate memory: 9 bytes")]
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
