"""A model for the engine of the HTML page: a header, and its weights as 8-bit integers.

A matrix has 8-bit integers from -127 to 127, then one float16 scale for each row; an integer times the scale of its row
is a weight. The integers are in the order in which the engine multiplies them: 16 rows after 16 rows, and in these, for
each two columns, the two integers of the first row, of the second row, and so on. Zeros complete the last rows and
columns. All other tensors are float32. The tensors follow each other in the order of the header.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.network.cells import cell_spec
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import SCALE, Tensors

PAGE_FORMAT = 2  # the engine refuses headers with another number
WEIGHT_LEVELS = 127  # of the weights, on each side of 0
MATRIX_BLOCK = (16, 2)  # rows and columns of a matrix that the engine multiplies at once
NETWORK_FIELDS = ("cell", "hidden", "layers", "embedding", "residual", "layer_norm", "tie_weights")


class PackedModel(NamedTuple):
    """A model as the page stores it."""

    header: dict[str, Any]
    weights: bytes


class QuantizedMatrix(NamedTuple):
    """A matrix in 8 bits: `integers` times the `scales` of their rows."""

    integers: NDArray[np.int8]  # (rows, columns)
    scales: NDArray[np.float16]  # (rows,)

    def dequantized(self) -> NDArray[np.float32]:
        """The weights that the page computes with."""
        return self.integers * self.scales.astype(np.float32)[:, None]


def pack(model: StoredModel, name: str, cells: Sequence[dict[str, Any]] = ()) -> PackedModel:
    """A checked model with its name and found cells, if any, for the page."""
    tensors = {key: _packed(np.asarray(array, np.float32)) for key, array in model.weights.items()}
    layout = [{"name": key, "shape": list(model.weights[key].shape)} for key in tensors]
    weights = b"".join(tensors.values())
    found = {"cells": list(cells)} if cells else {}
    return PackedModel({**_header(model, name), "tensors": layout, **found}, weights)


def dequantized_weights(model: StoredModel) -> dict[str, NDArray[np.float32]]:
    """The weights that the page computes with, by their names in files."""
    floats = {key: np.asarray(array, np.float32) for key, array in model.weights.items()}
    return {key: quantize(array).dequantized() if array.ndim == 2 else array for key, array in floats.items()}


def quantize(matrix: NDArray[np.float32]) -> QuantizedMatrix:
    """A matrix (rows, columns) in 8 bits, each row with a scale of its own."""
    exact = np.abs(matrix).max(axis=1, initial=0.0) / WEIGHT_LEVELS
    scales = np.minimum(exact, np.finfo(np.float16).max).astype(np.float16)
    divisors = np.where(scales > 0, scales, 1).astype(np.float32)  # a row of zeros stays one
    integers = np.rint(matrix / divisors[:, None]).clip(-WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8)
    return QuantizedMatrix(integers, scales)


def _packed(array: NDArray[np.float32]) -> bytes:
    if array.ndim < 2:
        return array.astype("<f4").tobytes()
    integers, scales = quantize(array)
    return in_blocks(integers).tobytes() + scales.astype("<f2").tobytes()


def in_blocks(integers: NDArray[np.int8]) -> NDArray[np.int8]:
    """A matrix as blocks of 16 rows and 2 columns, with zeros where the last ones are not full."""
    rows, columns = MATRIX_BLOCK
    full = np.pad(integers, ((0, -len(integers) % rows), (0, -integers.shape[1] % columns)))
    return full.reshape(len(full) // rows, rows, -1, columns).swapaxes(1, 2)


def _header(model: StoredModel, name: str) -> dict[str, Any]:
    """All that the page knows of a model besides its weights."""
    settings = dataclasses.asdict(model.settings)
    network = {field: settings[field] for field in NETWORK_FIELDS}
    return {
        "format": PAGE_FORMAT,
        "name": name,
        **model.vocabulary.record(),
        "config": {**network, "states": list(cell_spec(model.settings.cell).states)},
        "about": {"parameters": _parameters(model.weights), **dataclasses.asdict(model.summary)},
    }


def _parameters(weights: Tensors) -> int:
    return sum(array.size for key, array in weights.items() if key != SCALE)
