"""Exports the model of a run to a folder of its own: config.json, vocabulary.json, model.safetensors."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from charrnn_cli.errors import RunError
from charrnn_cli.files import file_exists, folder_exists, new_folder
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.runs.weights import load_checksum, save_weights


def export_model(run: Run, folder: Path, float16: bool = True, force: bool = False) -> Path:
    """Writes the best model of `run` to `folder`, where other files are kept. Returns the path of the weights.

    `float16` halves the size of the weights. Raises RunError if the folder already has a model and `force` is False, or
    if it is a run; DiskError.
    """
    target = Run(folder)
    if (target.trained or file_exists(target.vocabulary)) and not force:
        raise RunError(f"{folder} already has a model. To replace it, pass `force=True`.")
    if target.prepared:
        raise RunError(f"{folder} is a run, not the folder of a model. Pass another folder.")
    model, config = load_model(run), Config.load(run.config)
    weights = model.weights
    if float16:
        weights = {name: array.astype(np.float16) for name, array in weights.items()}
    with new_folder(folder.absolute()) as temporary:
        if folder_exists(folder):
            shutil.copytree(folder, temporary, dirs_exist_ok=True)
        new = Run(temporary)
        model.vocabulary.save(new.vocabulary)
        save_weights(new.weights, weights, model.summary)
        replace(config, text=model.text, weights_sha256=load_checksum(new.weights)).save(new.config)
    return target.weights
