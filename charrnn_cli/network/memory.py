"""An estimate of the memory that training takes."""

from charrnn_cli.config import ModelSettings, TrainingSettings


def memory_needed(model: ModelSettings, training: TrainingSettings, vocabulary_size: int, parameters: int) -> float:
    """Bytes that a training takes at its peak, within a quarter: found by measuring (tests/benchmarks/README.md)."""
    V, tokens = vocabulary_size, -(-training.batch_size // training.accumulate) * training.seq_length
    program = 340e6  # Python and torch
    weights = 28 * parameters  # with gradients, two moments, and copies of all while they are saved
    layers = 4 * 13 * tokens * model.layers * model.hidden  # what the way back needs
    logits = 4 * (5 * tokens * V + 4 * min(64 * 64 * V, 1 << 25))  # of a step and of a validation
    return program + weights + layers + logits
