"""The memory that training needs, and what happens when memory runs out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import DeviceError
from charrnn_cli.network.loss import MOST_LOGITS, MOST_STREAMS, SCORING_WINDOW


@contextmanager
def memory_errors(advice: str) -> Iterator[None]:
    """Turns a lack of memory, on the GPU or the CPU, into a DeviceError whose message ends with `advice`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise DeviceError(f"the memory is full. {advice}") from error
        raise


def memory_needed(model: ModelSettings, training: TrainingSettings, vocabulary_size: int, parameters: int) -> float:
    """The approximate peak memory of training in bytes.

    The constants are fitted to measurements (tests/benchmarks/README.md).
    """
    V, float_bytes = vocabulary_size, 4
    streams = -(-training.batch_size // training.accumulate)  # of the largest part of a batch
    tokens = streams * training.seq_length
    program = 340e6  # Python and torch
    weights = 7 * float_bytes * parameters  # with gradients, two moments, and copies of all while they are saved
    layers = 13 * float_bytes * tokens * model.layers * model.hidden  # kept for the backward pass
    training_logits = 5 * float_bytes * tokens * V
    scoring_logits = 4 * float_bytes * min(MOST_STREAMS * SCORING_WINDOW * V, MOST_LOGITS)
    return program + weights + layers + training_logits + scoring_logits
