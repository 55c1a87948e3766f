"""Weights on disk: safetensors files with a checksum and a summary of the training in their header."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from charrnn_cli.errors import RunError, disk_errors
from charrnn_cli.files import check_regular, write_bytes
from charrnn_cli.setting import settings_from

Tensors = Mapping[str, NDArray[Any]]
CHECKSUM = "sha256"  # the key in the header for the SHA-256 of everything after the header
SCALE = "head.scale"  # a tensor (1,) that the logits are multiplied by when a model is used: 1 / softmax temperature


@dataclass(frozen=True)
class Summary:
    """How far a model was trained, and how good it was. It is stored in the header of the weights."""

    step: int
    epoch: float
    seconds: float  # of training
    train_loss: float | None  # nats per token, mean since the last report
    valid_loss: float | None  # nats per token; None if it was not measured at this step
    when: str  # ISO 8601, UTC


def save_weights(path: Path, weights: Tensors, summary: Summary) -> None:
    """Writes weights with a summary in the header. Raises DiskError."""
    _save(path, weights, {"summary": json.dumps(dataclasses.asdict(summary))})


def save_tensors(path: Path, tensors: Tensors) -> None:
    """Writes tensors without a summary. Raises DiskError."""
    _save(path, tensors, {})


def load_tensors(path: Path) -> Tensors:
    """All tensors of a safetensors file. Raises RunError if it is missing or if any bit of it is damaged."""
    with disk_errors("read", path), _open(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        checksum = (file.metadata() or {}).get(CHECKSUM)
    if checksum is not None and checksum != _checksum_of_file(path):
        raise RunError(f"{path} is damaged: its checksum does not match its content.")
    return tensors


def load_checksum(path: Path) -> str | None:
    """The checksum in the header of a safetensors file, or None if it has none. Raises RunError."""
    with disk_errors("read", path), _open(path) as file:
        return (file.metadata() or {}).get(CHECKSUM)


def load_summary(path: Path) -> Summary:
    """The summary in the header of weights; the tensors are not read. Raises RunError."""
    with disk_errors("read", path), _open(path) as file:
        header = file.metadata() or {}
    try:
        return settings_from(Summary, json.loads(header["summary"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} has no training summary in its header, so charrnn did not write it.") from error


def count_parameters(path: Path) -> int:
    """The number of trained parameters in a safetensors file, from its header. Raises RunError."""
    with disk_errors("read", path), _open(path) as file:
        names = (name for name in file.keys() if name != SCALE)  # noqa: SIM118  # not a dict
        return sum(math.prod(file.get_slice(name).get_shape()) for name in names)


def _save(path: Path, tensors: Tensors, metadata: dict[str, str]) -> None:
    body = _after_header(save(dict(tensors)))
    write_bytes(path, save(dict(tensors), {**metadata, CHECKSUM: hashlib.sha256(body).hexdigest()}))


def _checksum_of_file(path: Path) -> str:
    with disk_errors("read", path):
        data = path.read_bytes()
    return hashlib.sha256(_after_header(data)).hexdigest()


def _after_header(data: bytes) -> memoryview:
    """The content of a safetensors file without its header; the first 8 bytes are the length of the header."""
    return memoryview(data)[8 + int.from_bytes(data[:8], "little") :]


def _open(path: Path) -> Any:
    check_regular(path)
    path.open("rb").close()  # safe_open would say that a file that must not be read is missing
    try:
        return safe_open(path, "numpy")
    except SafetensorError as error:
        raise RunError(f"{path} is damaged: {error}") from error
