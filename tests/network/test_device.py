import pytest
import torch

from charrnn_cli.errors import CharrnnWarning, DeviceError, UsageError
from charrnn_cli.network import device as devices
from charrnn_cli.network.device import pick_device, share_cores

CPU = torch.device("cpu")


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs of which the first computes and the second does not."""
    reasons = {None: None, 0: None, 1: "CUDA error: no kernel image is available"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(devices, "_why_unusable", lambda device: reasons[device.index])
    return reasons


def start_by_torchrun(monkeypatch, size, here=None, local_rank=0):
    variables = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": here or size, "LOCAL_RANK": local_rank, "MASTER_ADDR": "here"}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.usefixtures("gpus")
def test_cpu_is_taken_even_if_there_is_a_gpu():
    assert pick_device(gpu=False, cpu=True).type == "cpu"
    assert pick_device(gpu=False, cpu=False).type == "cuda"
    assert pick_device(gpu=True, cpu=False).type == "cuda"


def test_a_gpu_that_fails_at_a_small_computation_is_an_error_only_if_it_was_asked_for(gpus):
    gpus[None] = "cuDNN error: CUDNN_STATUS_ARCH_MISMATCH"
    with pytest.warns(CharrnnWarning, match=r"the GPU cannot be used: cuDNN .*_MISMATCH. The CPU computes instead"):
        assert pick_device(gpu=False, cpu=False) == CPU
    for asked_for in ({"gpu": True}, {"device": "cuda"}):
        with pytest.raises(DeviceError, match=r"the device cuda cannot be used here: .*_MISMATCH; CUDA GPUs here: 2"):
            pick_device(**{"gpu": False, "cpu": False} | asked_for)


def test_the_small_computation_says_why_it_failed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    if torch.version.cuda is None:
        with pytest.warns(CharrnnWarning, match="Torch not compiled with CUDA enabled. The CPU"):
            assert pick_device(gpu=False, cpu=False) == CPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_is_tried_and_the_random_numbers_stay():
    torch.manual_seed(0)
    expected = torch.rand(1, device="cuda")
    torch.manual_seed(0)
    assert pick_device(gpu=True, cpu=False).type == "cuda"
    assert torch.equal(torch.rand(1, device="cuda"), expected)


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
    with pytest.raises(UsageError, match="PyTorch knows no such device"):
        pick_device(gpu=False, cpu=False, device=["cpu"])
    with pytest.raises(UsageError, match="`cpu` and `device`"):
        pick_device(gpu=False, cpu=True, device="cpu")


@pytest.mark.parametrize("name", ["cuda:99", "mps:7", "xpu:9", "hpu"])
def test_the_error_names_a_device_that_does_not_exist(name):
    with pytest.raises(DeviceError, match=f"the device {name} cannot be used here"):
        pick_device(gpu=False, cpu=False, device=name)


@pytest.mark.usefixtures("gpus")
def test_each_process_on_a_machine_takes_its_own_gpu(monkeypatch):
    start_by_torchrun(monkeypatch, 2)
    assert pick_device(gpu=True, cpu=False) == pick_device(False, False, "cuda") == torch.device("cuda:0")
    start_by_torchrun(monkeypatch, 2, local_rank=1)
    for gpu in (True, False):  # all processes need one, because they wait for each other
        with pytest.raises(DeviceError, match="the device cuda:1 cannot be used here: CUDA error: no kernel image"):
            pick_device(gpu=gpu, cpu=False)
    start_by_torchrun(monkeypatch, 4, local_rank=2)
    with pytest.raises(DeviceError, match=r"process 2 of this machine has no GPU: there are 2\. .*--nproc-per-node 2"):
        pick_device(gpu=False, cpu=False)


@pytest.mark.usefixtures("gpus")
def test_one_gpu_is_not_named_for_several_processes(monkeypatch):
    start_by_torchrun(monkeypatch, 2)
    with pytest.raises(UsageError, match=r"`device=cuda:0` would put all 2 processes on one device.*`device=cuda`"):
        pick_device(gpu=False, cpu=False, device="cuda:0")
    start_by_torchrun(monkeypatch, 2, here=1)  # one process on each of two machines
    assert pick_device(gpu=False, cpu=False, device="cuda:0") == torch.device("cuda:0")


def test_processes_share_the_cores_unless_the_user_chose_threads(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(devices, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    share_cores(CPU)
    assert chosen == []  # a process that is alone keeps its threads
    for size in (2, 3, 16):
        start_by_torchrun(monkeypatch, size)
        share_cores(CPU)
    assert chosen == [4, 2, 1]
    share_cores(torch.device("cuda"))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    share_cores(CPU)
    assert chosen == [4, 2, 1]
