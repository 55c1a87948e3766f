"""A trained model from its files into memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.runs.checkpoints import (
    SCALE,
    Checkpoint,
    Config,
    Summary,
    checkpoints,
    load_checksum,
    load_summary,
    load_tensors,
)
from charrnn_cli.runs.folders import Run
from charrnn_cli.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Model:
    """A trained model in memory."""

    settings: ModelSettings
    vocabulary: Vocabulary
    weights: Mapping[str, NDArray[Any]]
    summary: Summary


def load_model(run: Run, step: int | None = None) -> Model:
    """The best weights of a run or model, or those of the checkpoint at `step`. Raises RunError."""
    path = run.weights if step is None else _checkpoint(run, step).weights
    config = Config.load(run.config)
    known = config.weights_sha256 if step is None else None
    if known is not None and load_checksum(path) != known:
        raise RunError(f"{path} is damaged: its checksum is not the one in config.json.")
    model = Model(config.model, Vocabulary.load(run.vocabulary), load_tensors(path), load_summary(path))
    _check(model, path)
    return model


def _checkpoint(run: Run, step: int) -> Checkpoint:
    found = checkpoints(run)
    for checkpoint in found:
        if checkpoint.step == step:
            return checkpoint
    have = ", ".join(str(checkpoint.step) for checkpoint in found) or "none"
    raise UsageError(f"--checkpoint {step}: {run.name} has the checkpoints {have} (charrnn info {run.quoted}).")


def _check(model: Model, path: Path) -> None:
    """Raises RunError where the weights are not those of the settings and the vocabulary."""
    V, E, H = len(model.vocabulary), model.settings.embedding, model.settings.hidden
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[model.settings.cell]
    shapes: dict[str, tuple[int, ...]] = {"head.bias": (V,)}
    if not model.settings.tie_weights:
        shapes["head.weight"] = (V, H)
    if E:
        shapes["embedding.weight"] = (V, E)
    for k in range(model.settings.layers):
        inputs = H if k else E or V
        shapes[f"rnn.weight_ih_l{k}"], shapes[f"rnn.weight_hh_l{k}"] = (gates * H, inputs), (gates * H, H)
        shapes[f"rnn.bias_ih_l{k}"] = shapes[f"rnn.bias_hh_l{k}"] = (gates * H,)
    if model.settings.layer_norm:
        sizes = {k: H if k else E for k in range(model.settings.layers + 1) if k or E}
        shapes |= {f"rnn.norm_{what}_l{k}": (size,) for k, size in sizes.items() for what in ("weight", "bias")}
    if SCALE in model.weights:
        shapes[SCALE] = (1,)
    for name, shape in shapes.items():
        found = model.weights[name].shape if name in model.weights else "not there"
        if found == shape and not np.isfinite(model.weights[name]).all():
            raise RunError(f"{path} is damaged: {name} has what is no number.")
        if found != shape:
            raise RunError(f"{path} does not fit its config.json and vocabulary.json: {name} is {found}, not {shape}.")
