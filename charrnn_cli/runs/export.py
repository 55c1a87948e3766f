"""Exports the model of a run to a folder of its own: config.json, vocabulary.json, model.safetensors, cells.json."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from charrnn_cli.errors import CharrnnError, DiskError, RunError, disk_errors
from charrnn_cli.files import file_exists, finish_renames, folder_exists, new_folder
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.found_cells import copy_cells
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.runs.weights import load_checksum, save_weights
from charrnn_cli.text.corpus import Corpus


def export_model(run: Run, folder: Path, float16: bool = True, force: bool = False) -> Path:
    """Writes the best model of `run` to `folder`, where other files are kept. Returns the path of the weights.

    `float16` halves the size of the weights. If `folder` is a link, its target is written. Raises RunError if the
    folder already has a model and `force` is False, or if it is a run; DiskError.
    """
    with disk_errors("write", folder):
        place = folder.resolve()
    finish_renames(place.parent, place.name)
    target = Run(place)
    if target.prepared:
        raise RunError(f"{folder} is a run, not the folder of a model. Pass another folder.")
    if (target.trained or file_exists(target.vocabulary)) and not force:
        raise RunError(f"{folder} already has a model. To replace it, pass `force=True`.")
    model, config = load_model(run), Config.load(run.config)
    weights = model.weights
    if float16:
        weights = {name: array.astype(np.float16) for name, array in weights.items()}
    with new_folder(place) as temporary:
        new = Run(temporary)
        if folder_exists(place):
            _copy_other_files(place, new)
        model.vocabulary.save(new.vocabulary)
        save_weights(new.weights, weights, model.summary)
        checksum = load_checksum(new.weights)
        copy_cells(run, model.checksum, new.cells, checksum or "")
        exported = replace(
            config,
            text=model.text,
            weights_sha256=checksum,
            characters_per_token=_characters_per_token(run) or config.characters_per_token,
        )
        exported.save(new.config)
    return Run(folder).weights


def _characters_per_token(run: Run) -> float | None:
    """Of the validation text; None if it is not here, or damaged, which must not stop an export."""
    try:
        return Corpus(run.corpus).info.characters_per_token if run.prepared else None
    except CharrnnError:
        return None


def _copy_other_files(folder: Path, new: Run) -> None:
    """Copies everything in `folder` but the files of a model. Links stay links. Raises DiskError."""
    model_files = {path.name for path in (new.vocabulary, new.weights, new.config, new.cells)}

    def ignored(inside: str, names: list[str]) -> set[str]:
        return model_files if Path(inside) == folder else set()

    try:
        shutil.copytree(folder, new.folder, symlinks=True, ignore=ignored, dirs_exist_ok=True)
    except shutil.Error as error:
        path, _, reason = error.args[0][0]
        raise DiskError(
            f"cannot copy {path}: {reason}. The folder {folder} is unchanged. Move that file out of it, or export to "
            "another folder."
        ) from error
