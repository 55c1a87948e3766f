"""The model of a run as a folder of its own: config.json, vocabulary.json, model.safetensors."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from charrnn_cli.errors import RunError
from charrnn_cli.files import new_folder
from charrnn_cli.runs.checkpoints import Config, load_checksum, load_summary, load_tensors, save_model
from charrnn_cli.runs.folders import Run
from charrnn_cli.text.vocabulary import Vocabulary


def export_model(run: Run, folder: Path, float16: bool, force: bool) -> Path:
    """Writes the best model of `run` into `folder`; what else is in it stays. Gives back the path of the weights.

    Raises RunError where a model is there already and `force` does not allow to replace it, DiskError.
    """
    target = Run(folder)
    if (target.trained or target.vocabulary.exists()) and not force:
        raise RunError(f"{folder} has a model already. --force replaces it.")
    if target.prepared:
        raise RunError(f"{folder} is a run, not a model's folder: name another one.")
    vocabulary, config = Vocabulary.load(run.vocabulary), Config.load(run.config)
    weights, summary = load_tensors(run.weights), load_summary(run.weights)
    if float16:
        weights = {name: array.astype(np.float16) for name, array in weights.items()}
    with new_folder(folder.absolute()) as new:
        if folder.is_dir():
            shutil.copytree(folder, new, dirs_exist_ok=True)
        vocabulary.save(Run(new).vocabulary)
        save_model(Run(new).weights, weights, summary)
        replace(config, weights_sha256=load_checksum(Run(new).weights)).save(Run(new).config)
    return target.weights
