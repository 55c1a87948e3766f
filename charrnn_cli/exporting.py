"""The model of a run as a folder of its own: config.json, vocabulary.json, model.safetensors."""

from pathlib import Path

import numpy as np

from charrnn_cli.checkpoint import Config, load_summary, load_tensors, save_model
from charrnn_cli.errors import RunError, disk_errors
from charrnn_cli.runs import Run
from charrnn_cli.text.vocabulary import Vocabulary


def export_model(run: Run, folder: Path, float16: bool, force: bool) -> Path:
    """Writes the best model of `run` into `folder`; what else is in it stays. Gives back the path of the weights.

    Raises RunError where a model is there already and `force` does not allow to replace it, DiskError.
    """
    target = Run(folder)
    if (target.trained or target.vocabulary.exists()) and not force:
        raise RunError(f"{folder} has a model already. --force replaces it.")
    weights = load_tensors(run.weights)
    if float16:
        weights = {name: array.astype(np.float16) for name, array in weights.items()}
    with disk_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
    Vocabulary.load(run.vocabulary).save(target.vocabulary)
    Config.load(run.config).save(target.config)
    save_model(target.weights, weights, load_summary(run.weights))
    return target.weights
