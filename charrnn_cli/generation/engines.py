"""Chooses the engine that computes a model."""

from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from charrnn_cli.config import EngineName
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.engine import Engine, EngineUnavailableError
from charrnn_cli.runs.models import StoredModel

if TYPE_CHECKING:
    import torch


def load_engine(
    model: StoredModel,
    name: EngineName = "auto",
    gpu: bool = False,
    device: str | None = None,
    threads: int | None = None,
) -> Engine[Any]:
    """The engine called `name`, with the weights of a model.

    With `gpu` or `device`, "auto" takes torch. Otherwise it takes ONNX Runtime if that is installed, else NumPy; and
    torch for a cell that these do not compute. The number of CPU `threads` follows the load of the machine, unless it
    is passed. Raises UsageError, DeviceError.
    """
    if gpu or device:
        if name not in ("auto", "torch"):
            place = "`gpu`" if gpu else f"`device={device}`"
            raise UsageError(f"`engine={name}` computes on the CPU and cannot use {place}. Leave out one of them.")
        from charrnn_cli.network.device import pick_device

        return _torch(model, threads, pick_device(gpu, False, device))
    if name != "auto":
        return ENGINES[name](model, threads)
    for load in (_onnx, _numpy):
        with suppress(EngineUnavailableError):
            return load(model, threads)
    return _torch(model, threads)


def _onnx(model: StoredModel, threads: int | None) -> Engine[Any]:
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        raise EngineUnavailableError(
            "`engine=onnx` needs ONNX Runtime, which is not installed. Type: pip install onnxruntime onnx"
        )
    from charrnn_cli.generation.onnx_engine import OnnxEngine

    return OnnxEngine(model.weights, model.settings, threads)


def _numpy(model: StoredModel, threads: int | None) -> Engine[Any]:
    from charrnn_cli.generation.numpy_engine import NumpyEngine

    return NumpyEngine(model.weights, model.settings, threads)


def _torch(model: StoredModel, threads: int | None, device: "torch.device | None" = None) -> Engine[Any]:
    import torch

    from charrnn_cli.generation.torch_engine import TorchEngine

    return TorchEngine(model.weights, model.settings, device or torch.device("cpu"), threads)


ENGINES: dict[EngineName, Callable[[StoredModel, int | None], Engine[Any]]] = {
    "onnx": _onnx,
    "numpy": _numpy,
    "torch": _torch,
}
