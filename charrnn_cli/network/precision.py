"""The number format of matrix products: when training uses bfloat16, and how scoring and sampling stay exact."""

from contextlib import AbstractContextManager

import torch

from charrnn_cli.config import Precision
from charrnn_cli.errors import UsageError
from charrnn_cli.network.cells import cell_spec


def use_bfloat16(precision: Precision, device: torch.device, cell: str) -> bool:
    """Whether training multiplies in bfloat16. Raises UsageError if that was requested but would not be faster."""
    faster = precision != "float32" and _bfloat16_is_faster(device, cell)
    if precision == "bfloat16" and not faster:
        where = "this CPU" if device.type == "cpu" else "this GPU"
        raise UsageError(
            f"`precision=bfloat16` is not faster on {where} for the cell {cell_spec(cell).title}. "
            "Leave it out, or pass `precision=float32`."
        )
    return faster


def exact_products() -> AbstractContextManager[None]:
    """Makes cuDNN multiply in full float32 instead of TF32, which has only 10 bits of mantissa."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # `enabled` is False unless it is passed


def _bfloat16_is_faster(device: torch.device, cell: str) -> bool:
    """Whether autocast computes the cell in bfloat16 with native instructions of this device."""
    if device.type == "cpu":
        return cell_spec(cell).bfloat16_on_cpu and _cpu_has_bfloat16()
    return device.type == "cuda" and torch.cuda.is_bf16_supported() and _cudnn_computes_bfloat16(device)


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))
    return native and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def _cudnn_computes_bfloat16(device: torch.device) -> bool:
    """Tries it: older versions of cuDNN refuse, or use float16 instead, which can overflow."""
    try:
        with torch.inference_mode(), torch.random.fork_rng([device]), torch.autocast("cuda", torch.bfloat16):
            output, _ = torch.nn.LSTM(8, 8, device=device)(torch.zeros(1, 1, 8, device=device))
    except RuntimeError:
        return False
    return bool(output.dtype == torch.bfloat16)
