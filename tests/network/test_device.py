import pytest
import torch

from charrnn_cli.errors import DeviceError, UsageError
from charrnn_cli.network.device import pick_device, use_bfloat16


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


CPU = torch.device("cpu")


@pytest.mark.parametrize("chip", [{"avx512_bf16": True}, {"amx_tile": True}])
def test_bfloat16_is_taken_where_the_chip_has_it(monkeypatch, chip):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: chip, raising=False)
    assert use_bfloat16("auto", CPU, "lstm")
    assert use_bfloat16("bfloat16", CPU, "lstm")
    assert not use_bfloat16("float32", CPU, "lstm")
    assert not use_bfloat16("auto", CPU, "gru")  # oneDNN has the LSTM alone


def test_bfloat16_is_refused_where_it_would_crawl(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True}, raising=False)
    assert not use_bfloat16("auto", CPU, "lstm")
    with pytest.raises(UsageError, match="this CPU"):
        use_bfloat16("bfloat16", CPU, "lstm")


def test_an_older_torch_that_cannot_tell_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not use_bfloat16("auto", CPU, "lstm")


def test_any_device_by_its_name():
    assert pick_device(gpu=False, cpu=False, name="cpu") == CPU
    with pytest.raises(UsageError, match="--device warp: PyTorch knows no such device"):
        pick_device(gpu=False, cpu=False, name="warp")
    with pytest.raises(UsageError, match="--cpu and --device"):
        pick_device(gpu=False, cpu=True, name="cpu")


@pytest.mark.parametrize("name", ["cuda:99", "mps:7", "xpu:9", "hpu"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(DeviceError, match=f"the device {name} cannot be used here"):
        pick_device(gpu=False, cpu=False, name=name)


def test_each_process_of_a_machine_has_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for variable, value in {"WORLD_SIZE": "200", "LOCAL_RANK": "99", "MASTER_ADDR": "here"}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(DeviceError, match="the device cuda:99 cannot be used here"):
        pick_device(gpu=True, cpu=False)
