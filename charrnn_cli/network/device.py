"""The device that computes: a CUDA GPU, the CPU, or any other device of PyTorch."""

import math

import torch

from charrnn_cli.errors import DeviceError, UsageError
from charrnn_cli.network.ranks import launched, local_rank
from charrnn_cli.threads import Threads


def pick_device(gpu: bool, cpu: bool, device: str | None = None) -> torch.device:
    """The CPU if `cpu`, the PyTorch device called `device` if it is passed, otherwise a CUDA GPU if there is one.

    With `gpu` there must be one. If torchrun starts several processes on a machine, each takes the GPU of its local
    rank. Raises UsageError if the arguments contradict each other, DeviceError if the device cannot be used.
    """
    passed = {"`gpu`": gpu, "`cpu`": cpu, "`device`": device}
    names = [name for name, value in passed.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other. Pass one, or none to use a GPU if there is one.")
    if cpu:
        return torch.device("cpu")
    if device and device not in ("cuda", "gpu"):
        return _checked(device)
    if torch.cuda.is_available():
        return _checked(f"cuda:{local_rank()}") if launched() else torch.device("cuda")
    if names:
        raise DeviceError(
            f"{names[0]}: no CUDA GPU can be used here: {_why_no_gpu()}. Leave out {names[0]} to use the CPU."
        )
    return torch.device("cpu")


def watched_threads(device: torch.device, number: int | None, ranks: int = 1) -> Threads:
    """The threads of torch, whose number follows the load of the machine, or is fixed if a `number` is passed.

    With a GPU or several ranks it does not change either: ranks wait for each other anyway.
    """
    if number is not None:
        torch.set_num_threads(number)
    fixed = number is not None or device.type != "cpu" or ranks > 1
    return Threads(1 if fixed else torch.get_num_threads(), torch.set_num_threads)


def _why_no_gpu() -> str:
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is built for the CPU; install a CUDA build of torch"
    return (
        f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda} but finds no GPU; check that the driver "
        "is installed and new enough (nvidia-smi)"
    )


def _checked(name: str) -> torch.device:
    """The device that PyTorch calls `name`, after a computation on it. Raises UsageError, DeviceError."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"`device={name}`: PyTorch knows no such device. Pass cpu, cuda, cuda:1, mps, xpu or another that it knows."
        ) from error
    try:
        torch.ones(1, device=device).sum().item()
        if device.type == "cuda":
            torch.cuda.set_device(device)
    except (RuntimeError, AssertionError, ImportError) as error:  # which one depends on the type of the device
        reason = (str(error).strip() or "PyTorch gives no reason").splitlines()[0]
        count = f"; CUDA GPUs here: {torch.cuda.device_count()}" if device.type == "cuda" else ""
        raise DeviceError(
            f"the device {name} cannot be used here: {reason}{count}. Pass another `device`, or `cpu`."
        ) from error
    return device


def device_name(device: torch.device) -> str:
    """The device in words, such as "CPU, 2 threads" or a GPU's product name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type.upper()
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def free_memory(device: torch.device) -> float:
    """The free memory of a CUDA GPU in bytes; infinite for other devices, whose memory PyTorch does not report."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf
