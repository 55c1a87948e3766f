import pytest
import torch

from charrnn_cli.errors import DeviceError, UsageError
from charrnn_cli.network.device import pick_device

CPU = torch.device("cpu")


def test_cpu_is_taken_even_if_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device(gpu=False, cpu=True).type == "cpu"
    assert pick_device(gpu=False, cpu=False).type == "cuda"
    assert pick_device(gpu=True, cpu=False).type == "cuda"


@pytest.mark.parametrize("cuda", [None, "13.0"])
def test_the_error_says_why_there_is_no_gpu(monkeypatch, cuda):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert pick_device(gpu=False, cpu=False).type == "cpu"
    with pytest.raises(DeviceError, match="install a CUDA build" if cuda is None else "driver"):
        pick_device(gpu=True, cpu=False)


def test_two_choices_exclude_each_other():
    with pytest.raises(UsageError, match="`gpu` and `cpu` exclude each other"):
        pick_device(gpu=True, cpu=True)


def test_a_device_is_found_by_its_name():
    assert pick_device(gpu=False, cpu=False, device="cpu") == CPU
    with pytest.raises(UsageError, match="`device=warp`: PyTorch knows no such device"):
        pick_device(gpu=False, cpu=False, device="warp")
    with pytest.raises(UsageError, match="`cpu` and `device`"):
        pick_device(gpu=False, cpu=True, device="cpu")


@pytest.mark.parametrize("name", ["cuda:99", "mps:7", "xpu:9", "hpu"])
def test_the_error_names_a_device_that_does_not_exist(name):
    with pytest.raises(DeviceError, match=f"the device {name} cannot be used here"):
        pick_device(gpu=False, cpu=False, device=name)


def test_each_process_on_a_machine_takes_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for variable, value in {"WORLD_SIZE": "200", "LOCAL_RANK": "99", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(DeviceError, match="the device cuda:99 cannot be used here"):
        pick_device(gpu=True, cpu=False)
