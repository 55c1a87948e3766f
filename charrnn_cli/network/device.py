"""Which device trains, and in which precision."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from charrnn_cli.config import Precision
from charrnn_cli.errors import DeviceError, UsageError
from charrnn_cli.network.ranks import launched, local_rank


def pick_device(gpu: bool, cpu: bool, name: str | None = None) -> torch.device:
    """A CUDA GPU where there is one and `cpu` does not forbid it, or what PyTorch calls `name`.

    Of several processes on a machine each takes the GPU of its number. Raises UsageError, and DeviceError where what is
    asked for cannot be used.
    """
    given = [flag for flag, is_given in (("--gpu", gpu), ("--cpu", cpu), ("--device", name)) if is_given]
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(given)} exclude each other: give one, or none to take a GPU where there is one."
        )
    if cpu:
        return torch.device("cpu")
    if name and name not in ("cuda", "gpu"):
        return _usable(name)
    if torch.cuda.is_available():
        return _usable(f"cuda:{local_rank()}") if launched() else torch.device("cuda")
    if gpu or name:
        built = torch.version.cuda
        reason = (
            f"this PyTorch ({torch.__version__}) is built for the CPU; install a CUDA build of torch"
            if built is None
            else f"PyTorch {torch.__version__} is built for CUDA {built} but sees no GPU; is the driver installed and "
            "new enough (nvidia-smi)"
        )
        raise DeviceError(
            f"{given[0]}: no CUDA GPU can be used here: {reason}. Without --gpu, charrnn runs on the CPU."
        )
    return torch.device("cpu")


def _usable(name: str) -> torch.device:
    """The device that PyTorch calls `name`, tried. Raises UsageError, DeviceError."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"--device {name}: PyTorch knows no such device. Give cpu, cuda, cuda:1, mps, xpu or the like."
        ) from error
    try:
        torch.ones(1, device=device).sum().item()
        if device.type == "cuda":
            torch.cuda.set_device(device)
    except (RuntimeError, AssertionError, ImportError) as error:  # by the kind of device
        reason = (str(error).strip() or "it gave no reason").splitlines()[0]
        here = f"; CUDA GPUs here: {torch.cuda.device_count()}" if device.type == "cuda" else ""
        raise DeviceError(
            f"the device {name} cannot be used here: {reason}{here}. Give another --device, or --cpu."
        ) from error
    return device


@contextmanager
def memory_errors(advice: str) -> Iterator[None]:
    """Turns the end of the memory, the GPU's or the machine's, into a DeviceError that ends with `advice`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise DeviceError(f"the memory is full. {advice}") from error
        raise


def device_name(device: torch.device) -> str:
    """What a person calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type.upper()
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def free_memory(device: torch.device) -> float:
    """Bytes that a GPU has left; without limit where PyTorch cannot tell, and on a CPU, which can swap."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf


def use_bfloat16(precision: Precision, device: torch.device, cell: str) -> bool:
    """Whether training multiplies in bfloat16. Raises UsageError where that is asked for and would not pay."""
    pays = precision != "float32" and _bfloat16_pays(device, cell)
    if precision == "bfloat16" and not pays:
        raise UsageError(
            f"--precision bfloat16: {'this CPU' if device.type == 'cpu' else 'this GPU'} does not compute an "
            f"{cell.upper()} faster in it. Leave it out, or give --precision float32."
        )
    return pays


def _bfloat16_pays(device: torch.device, cell: str) -> bool:
    """Whether autocast runs the cell in bfloat16 here, and by instructions of the chip's own.

    On a CPU that is an LSTM alone, by oneDNN. Older cuDNNs refuse, or take float16, which can overflow.
    """
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))
        return native and cell == "lstm" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if device.type != "cuda" or not torch.cuda.is_bf16_supported():
        return False
    try:
        with torch.inference_mode(), torch.random.fork_rng([device]), torch.autocast("cuda", torch.bfloat16):
            output, _ = nn.LSTM(8, 8, device=device)(torch.zeros(1, 1, 8, device=device))
    except RuntimeError:
        return False
    return bool(output.dtype == torch.bfloat16)
