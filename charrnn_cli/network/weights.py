"""Loads a trained model and checks that its weights fit its settings and its vocabulary. It does not load torch."""

from pathlib import Path

import numpy as np

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.runs.checkpoints import weights_file
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel, load_model
from charrnn_cli.runs.weights import SCALE

Shape = tuple[int, ...]


def load_checked_model(run: Run, checkpoint: int | str | None = None) -> StoredModel:
    """The best weights of a run or model, or those of a checkpoint (its step, "first", "last" or "best"), checked.

    Raises RunError if a file is missing or damaged or does not fit the others, UsageError if the
    checkpoint does not exist.
    """
    model = load_model(run, checkpoint)
    try:
        cell_spec(model.settings.cell)
    except UsageError as error:
        raise RunError(f"{run.config} is damaged, or made by a newer version of charrnn: {error}") from error
    check_shapes(model, weights_file(run, checkpoint))
    return model


def check_shapes(model: StoredModel, path: Path) -> None:
    """Raises RunError if weights, read from `path`, do not fit the settings and the vocabulary, or are not finite."""
    shapes = weight_shapes(model.settings, len(model.vocabulary))
    if SCALE in model.weights:
        shapes[SCALE] = (1,)
    for name, shape in shapes.items():
        if name not in model.weights:
            raise RunError(f"{path} does not fit its config.json and vocabulary.json: {name} is missing.")
        weight = model.weights[name]
        if weight.shape != shape:
            raise RunError(
                f"{path} does not fit its config.json and vocabulary.json: {name} is {weight.shape}, not {shape}."
            )
        if not np.isfinite(weight).all():
            raise RunError(f"{path} is damaged: {name} has values that are not finite.")


def weight_shapes(settings: ModelSettings, vocabulary_size: int) -> dict[str, Shape]:
    """The shape of each weight, by its name in files."""
    V, E, H = vocabulary_size, settings.embedding, settings.hidden
    shapes: dict[str, Shape] = {"head.bias": (V,)}
    if not settings.tie_weights:
        shapes["head.weight"] = (V, H)
    if E:
        shapes["embedding.weight"] = (V, E)
    rows = cell_spec(settings.cell).gates * H
    for k in range(settings.layers):
        inputs = (E or V) if k == 0 else H
        shapes[f"rnn.weight_ih_l{k}"] = (rows, inputs)
        shapes[f"rnn.weight_hh_l{k}"] = (rows, H)
        shapes[f"rnn.bias_ih_l{k}"] = shapes[f"rnn.bias_hh_l{k}"] = (rows,)
    if settings.layer_norm:
        shapes |= _norm_shapes(settings)
    return shapes


def _norm_shapes(settings: ModelSettings) -> dict[str, Shape]:
    """The shapes of the layer normalization before each layer and the output layer; one-hot input has none."""
    sizes = dict.fromkeys(range(1, settings.layers + 1), settings.hidden)
    if settings.embedding:
        sizes[0] = settings.embedding
    return {f"rnn.norm_{name}_l{k}": (size,) for k, size in sizes.items() for name in ("weight", "bias")}
