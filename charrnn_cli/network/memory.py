"""The memory that training needs, and what happens when memory runs out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import DeviceError
from charrnn_cli.network.device import free_memory
from charrnn_cli.network.loss import MOST_LOGITS, MOST_STREAMS, SCORING_WINDOW
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.ranks import Ranks

USABLE_SHARE = 0.8  # of a GPU's free memory, for training and the ids of the text together
# In the messages of a device's allocator, the CPU's, CUDA's, cuBLAS's, cuDNN's and oneDNN's.
FULL = ("out of memory", "allocate memory", "ALLOC_FAILED", "ALLOCATION_FAILED", "could not create a primitive")


@contextmanager
def memory_errors(advice: str) -> Iterator[None]:
    """Turns a lack of memory, on the GPU or the CPU, into a DeviceError whose message ends with `advice`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise DeviceError(f"the memory is full. {advice}") from error
        raise


def is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether the memory of the GPU or the CPU is full."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in FULL)


def memory_beside_training(
    model: LanguageModel, training: TrainingSettings, device: torch.device, ranks: Ranks
) -> float:
    """The memory of a device in bytes that training does not need; infinite if PyTorch does not report it."""
    streams = -(-training.batch_size // ranks.size)
    own = replace(training, batch_size=streams, accumulate=min(training.accumulate, streams))
    needed = memory_needed(model.settings, own, model.vocabulary_size, model.parameter_count)
    return max(0.0, USABLE_SHARE * free_memory(device) - needed)


def memory_needed(model: ModelSettings, training: TrainingSettings, vocabulary_size: int, parameters: int) -> float:
    """The approximate peak memory of training in bytes.

    The constants are fitted to measurements (tests/benchmarks/README.md).
    """
    V, float_bytes = vocabulary_size, 4
    streams = -(-training.batch_size // training.accumulate)  # of the largest part of a batch
    tokens = streams * training.seq_length
    program = 340e6  # Python and torch
    weights = 7 * float_bytes * parameters  # with gradients, two moments, and copies of all while they are saved
    if training.optimizer == "soap":  # rotated gradients and steps of the layers, and their bases
        layer_weights = parameters - V * (model.embedding + (0 if model.tie_weights else model.hidden))
        weights += 4 * float_bytes * layer_weights
    layers = 13 * float_bytes * tokens * model.layers * model.hidden  # kept for the backward pass
    training_logits = 5 * float_bytes * tokens * V
    scoring_logits = 4 * float_bytes * min(MOST_STREAMS * SCORING_WINDOW * V, MOST_LOGITS)
    return program + weights + layers + training_logits + scoring_logits
