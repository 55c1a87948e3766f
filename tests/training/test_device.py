import pytest
import torch

from charrnn_cli.errors import DeviceError, UsageError
from charrnn_cli.training.device import bfloat16_helps, pick_device


def test_cpu_keeps_off_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device(gpu=False, cpu=True).type == "cpu"
    assert pick_device(gpu=False, cpu=False).type == "cuda"
    assert pick_device(gpu=True, cpu=False).type == "cuda"


@pytest.mark.parametrize("cuda", [None, "13.0"])
def test_gpu_without_one_says_why(monkeypatch, cuda):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert pick_device(gpu=False, cpu=False).type == "cpu"
    with pytest.raises(DeviceError, match="install a CUDA build" if cuda is None else "driver"):
        pick_device(gpu=True, cpu=False)


def test_both_flags():
    with pytest.raises(UsageError, match="--gpu and --cpu"):
        pick_device(gpu=True, cpu=True)


def test_a_cpu_computes_in_float32():
    assert not bfloat16_helps(torch.device("cpu"))
