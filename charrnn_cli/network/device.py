"""The device that computes: a CUDA GPU, the CPU, or any other device of PyTorch."""

import math
import warnings

import torch

from charrnn_cli.errors import CharrnnWarning, DeviceError, UsageError
from charrnn_cli.launcher import chosen_threads, launched, local_rank, processes_here
from charrnn_cli.machine import available_cores
from charrnn_cli.threads import Threads

CPU = torch.device("cpu")


def pick_device(gpu: bool, cpu: bool, device: str | None = None) -> torch.device:
    """The CPU if `cpu`, the PyTorch device called `device` if it is passed, otherwise a CUDA GPU if there is one.

    A device is tried with a small computation. A GPU that was not asked for and fails becomes the CPU, with a
    CharrnnWarning. If torchrun starts several processes on a machine, each takes the GPU of its local rank. Raises
    UsageError if the arguments contradict each other, DeviceError if the device cannot be used.
    """
    passed = {"`gpu`": gpu, "`cpu`": cpu, "`device`": device}
    names = [name for name, value in passed.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other. Pass one, or none to use a GPU if there is one.")
    if cpu:
        return CPU
    if device and device not in ("cuda", "gpu"):
        return _named(device)
    if torch.cuda.is_available():
        return _own_gpu() if launched() else _gpu(asked_for=bool(names))
    if names:
        raise DeviceError(
            f"{names[0]}: no CUDA GPU can be used here: {_why_no_gpu()}. Leave out {names[0]} to use the CPU."
        )
    return CPU


def share_cores(device: torch.device) -> None:
    """Divides the cores among the processes that train on the CPUs of this machine, unless the user chose threads."""
    if device.type == "cpu" and launched() and not chosen_threads():
        torch.set_num_threads(max(1, available_cores() // processes_here()))


def fix_threads(number: int | None) -> None:
    """Makes torch compute with this many threads, if a number is passed."""
    if number is not None:
        torch.set_num_threads(number)


def watched_threads(device: torch.device, number: int | None, ranks: int = 1) -> Threads:
    """The threads of torch, whose number follows the load of the machine, or is fixed if a `number` is passed.

    With a GPU or several ranks it does not change either: ranks wait for each other anyway.
    """
    fix_threads(number)
    fixed = number is not None or device.type != "cpu" or ranks > 1
    return Threads(1 if fixed else torch.get_num_threads(), torch.set_num_threads)


def _why_no_gpu() -> str:
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is built for the CPU; install a CUDA build of torch"
    return (
        f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda} but finds no GPU; check that the driver "
        "is installed and new enough (nvidia-smi)"
    )


def _gpu(asked_for: bool) -> torch.device:
    """The GPU; if it cannot be used and was not asked for, the CPU."""
    gpu = torch.device("cuda")
    reason = _why_unusable(gpu)
    if reason is None:
        return gpu
    if asked_for:
        raise _unusable(gpu, reason)
    warnings.warn(f"the GPU cannot be used: {reason}. The CPU computes instead.", CharrnnWarning, stacklevel=3)
    return CPU


def _own_gpu() -> torch.device:
    """The GPU of this process, one of several. All of them need one, because they wait for each other."""
    gpus, number = torch.cuda.device_count(), local_rank()
    if number >= gpus:
        raise DeviceError(
            f"process {number} of this machine has no GPU: there are {gpus}. Start at most {gpus} here with "
            f"--nproc-per-node {gpus}, or pass `cpu`."
        )
    return _usable(torch.device("cuda", number))


def _named(name: str) -> torch.device:
    """The device that PyTorch calls `name`. Raises UsageError, DeviceError."""
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"`device={name}`: PyTorch knows no such device. Pass cpu, cuda, cuda:1, mps, xpu or another that it knows."
        ) from error
    if device.index is not None and device.type != "cpu" and processes_here() > 1:
        raise UsageError(
            f"`device={name}` would put all {processes_here()} processes on one device. Pass `device={device.type}`, "
            "and each process takes its own."
        )
    return _usable(device)


def _usable(device: torch.device) -> torch.device:
    """The same device, after a computation on it. Raises DeviceError."""
    reason = _why_unusable(device)
    if reason is not None:
        raise _unusable(device, reason)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def _why_unusable(device: torch.device) -> str | None:
    """Why a device fails at a small computation; None if it does not.

    cuDNN and cuBLAS refuse a GPU that is too old for them, and a GPU may be busy or full.
    """
    try:
        x = torch.ones(1, 1, 1, device=device)
        if device.type == "cuda":
            with torch.random.fork_rng([device]):
                x, _ = torch.nn.LSTM(1, 1, device=device)(x)
        (x @ x).sum().item()
    except (RuntimeError, AssertionError, ImportError) as error:  # which one depends on the type of the device
        return (str(error).strip() or "PyTorch gives no reason").splitlines()[0].rstrip(".")
    return None


def _unusable(device: torch.device, reason: str) -> DeviceError:
    count = f"; CUDA GPUs here: {torch.cuda.device_count()}" if device.type == "cuda" else ""
    return DeviceError(f"the device {device} cannot be used here: {reason}{count}. Pass another `device`, or `cpu`.")


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
