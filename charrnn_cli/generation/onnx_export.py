"""Exports a model as two ONNX files: one reads a token, the other draws several. docs/onnx.md explains them."""

from importlib.util import find_spec
from pathlib import Path

from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import anything_exists, folder_exists, write_files
from charrnn_cli.runs.models import StoredModel


def export_onnx(model: StoredModel, path: Path, force: bool = False) -> tuple[Path, Path]:
    """Writes the step to `path` and the loop beside it. Returns the paths of both.

    `force` replaces files. Raises UsageError if onnx is not installed or cannot express the model, RunError if a file
    is there and `force` is False; DiskError.
    """
    if find_spec("onnx") is None:
        raise UsageError("`onnx` needs the package onnx, which is not installed. Type: pip install '.[fast]'")
    if folder_exists(path) or not path.name:
        raise UsageError(f"`onnx={path}` is a folder. Pass the name of a file, such as `onnx=model.onnx`.")
    paths = path, path.with_name(f"{path.stem}-loop{path.suffix}")
    for one in paths:
        if folder_exists(one):
            raise UsageError(f"{one} is a folder. Pass another name for the file: `onnx=other.onnx`.")
        if anything_exists(one) and not force:
            raise RunError(f"{one} already exists. To replace it, pass `force=True`.")
    from charrnn_cli.generation.onnx_files import onnx_files

    contents = onnx_files(model)
    with disk_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_files(dict(zip(paths, contents, strict=True)))
    return paths
