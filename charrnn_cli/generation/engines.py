"""Chooses the engine that computes a model."""

from importlib.util import find_spec
from typing import Any

from charrnn_cli.config import EngineName
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.engine import Engine
from charrnn_cli.runs.models import Model


def load_engine(model: Model, name: EngineName = "auto", gpu: bool = False, device: str | None = None) -> Engine[Any]:
    """The engine of that name; "auto": torch on a GPU or another device, else ONNX Runtime where it is installed.

    Raises UsageError, DeviceError.
    """
    asked = "--gpu" if gpu else f"--device {device}" if device else None
    if asked and name not in ("auto", "torch"):
        raise UsageError(f"--engine {name} computes on the CPU, whatever {asked} says: leave out one of them.")
    if asked or name == "torch":
        from charrnn_cli.generation.torch_engine import TorchEngine
        from charrnn_cli.network.device import pick_device

        return TorchEngine(model.weights, model.settings, pick_device(gpu, asked is None, device))
    fast = find_spec("onnxruntime") is not None and find_spec("onnx") is not None
    if name == "onnx" and not fast:
        raise UsageError("--engine onnx needs ONNX Runtime, which is not installed. Type: pip install onnxruntime onnx")
    if name == "onnx" or (name == "auto" and fast):
        from charrnn_cli.generation.onnx_engine import OnnxEngine

        return OnnxEngine(model.weights, model.settings)
    from charrnn_cli.generation.numpy_engine import NumpyEngine

    return NumpyEngine(model.weights, model.settings)
