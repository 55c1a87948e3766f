import pytest
import torch

from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.errors import DeviceError, UsageError
from charrnn_cli.generation import numpy_cells, onnx_cells
from charrnn_cli.generation.engines import ENGINES, load_engine
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import Vocabulary

ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))


def model(cell: str = "lstm") -> StoredModel:
    torch.manual_seed(0)
    settings = ModelSettings(cell, hidden=16, layers=2, embedding=8)
    summary = Summary(1, 0.1, 1.0, 2.0, 2.0, "2020-01-01T00:00:00+00:00")
    return StoredModel(settings, ABC, get_weights(LanguageModel(settings, len(ABC))), summary, PrepareSettings())


def test_engines_by_name():
    assert load_engine(model()).name == "ONNX Runtime, 8 bits"
    assert load_engine(model(), "onnx").name == "ONNX Runtime, 8 bits"
    assert load_engine(model(), "numpy").name == "NumPy"
    assert load_engine(model(), "torch").name == "torch on cpu"
    assert load_engine(model(), device="cpu").name == "torch on cpu"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_computes_every_cell(cell, name):
    load_engine(model(cell), name)


def test_without_onnx_runtime_auto_takes_numpy(monkeypatch):
    monkeypatch.setattr("charrnn_cli.generation.engines.find_spec", lambda name: None)
    assert load_engine(model()).name == "NumPy"
    with pytest.raises(UsageError, match=r"`engine=onnx` needs ONNX Runtime.*pip install onnxruntime onnx"):
        load_engine(model(), "onnx")


def test_auto_takes_an_engine_that_computes_the_cell(monkeypatch):
    monkeypatch.delitem(onnx_cells.ONNX_STEPS, "gru")
    assert load_engine(model("gru")).name == "NumPy"
    monkeypatch.delitem(numpy_cells.NUMPY_STEPS, "gru")
    assert load_engine(model("gru")).name == "torch on cpu"
    assert load_engine(model("lstm")).name == "ONNX Runtime, 8 bits"
    with pytest.raises(UsageError, match="`engine=numpy` cannot compute the cell 'gru'"):
        load_engine(model("gru"), "numpy")


@pytest.mark.parametrize("options", [{"gpu": True}, {"device": "cpu"}])
def test_only_torch_takes_a_device(options):
    with pytest.raises(UsageError, match=r"`engine=numpy` computes on the CPU and cannot use `(gpu|device=cpu)`"):
        load_engine(model(), "numpy", **options)


def test_a_gpu_that_does_not_exist_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no CUDA GPU"):
        load_engine(model(), gpu=True)
