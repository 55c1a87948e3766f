"""The number format of matrix products: what training uses on each device, and how scoring and sampling stay exact."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from threading import RLock

import torch

from charrnn_cli.config import Precision
from charrnn_cli.errors import UsageError
from charrnn_cli.network.cells import CellSpec, cell_spec
from charrnn_cli.network.recurrent import run_layer

SHORT_TYPES: dict[Precision, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}
# What auto tries, the fastest first. cuDNN has its fastest kernels for float16 only (`network/recurrent.py`).
FASTEST: dict[str, tuple[Precision, ...]] = {"cuda": ("float16", "tf32"), "cpu": ("bfloat16",)}
# The first GPUs with instructions for each format: Volta and Ampere.
FIRST_GPU: dict[Precision, tuple[int, int]] = {"float16": (7, 0), "bfloat16": (8, 0), "tf32": (8, 0)}
FLAGS = RLock()  # torch's flags for float32 belong to the whole process: one thread at a time computes with them


@dataclass(frozen=True)
class NumberFormat:
    """The number format of the matrix products of training, on one type of device. Weights are always float32."""

    name: Precision
    device_type: str

    @property
    def scaled(self) -> bool:
        """Whether the loss must be scaled: small gradients would be 0 in float16."""
        return self.name == "float16"

    @property
    def products(self) -> torch.dtype:
        """The format of the matrix products of SOAP. It is never float16, in which small gradients would be 0."""
        return torch.bfloat16 if self.name == "bfloat16" else torch.float32

    def forward(self) -> AbstractContextManager[object]:
        """The context of the forward pass."""
        if self.name not in SHORT_TYPES:
            return nullcontext()
        return torch.autocast(self.device_type, SHORT_TYPES[self.name])

    def step(self) -> AbstractContextManager[object]:
        """The context of the forward and the backward pass."""
        if self.device_type != "cuda" or self.name in SHORT_TYPES:
            return nullcontext()
        return _tf32_products() if self.name == "tf32" else exact_products(self.device_type)


def number_format(precision: Precision, device: torch.device, cell: str) -> NumberFormat:
    """The format of a setting on a device.

    Raises UsageError if that format was requested but the device does not compute it, or not faster than float32.
    """
    if precision == "auto":
        faster = (name for name in FASTEST.get(device.type, ()) if _is_faster(name, device, cell_spec(cell)))
        return NumberFormat(next(faster, "float32"), device.type)
    if precision != "float32" and not _is_faster(precision, device, cell_spec(cell)):
        where = {"cpu": "this CPU", "cuda": "this GPU"}.get(device.type, f"the device {device.type}")
        raise UsageError(
            f"`precision={precision}` is not faster on {where} for the cell {cell_spec(cell).title}. "
            "Pass `precision=auto` or `precision=float32`."
        )
    return NumberFormat(precision, device.type)


@contextmanager
def exact_products(device_type: str) -> Iterator[None]:
    """Makes cuDNN multiply in full float32 instead of TF32, which has only 10 bits of mantissa."""
    if device_type != "cuda":
        yield
        return
    with FLAGS, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # `enabled` is False unless it is passed
        yield


@contextmanager
def _tf32_products() -> Iterator[None]:
    """Rounds the factors of float32 products to 10 bits of mantissa, in cuDNN and in the output layer."""
    with FLAGS:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
                yield
        finally:
            torch.set_float32_matmul_precision(before)


def _is_faster(precision: Precision, device: torch.device, cell: CellSpec) -> bool:
    """Whether the device computes the cell faster in this format than in float32."""
    if device.type == "cpu":
        return precision == "bfloat16" and cell.bfloat16_on_cpu and _cpu_has_bfloat16()
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FIRST_GPU[precision]:
        return False
    return precision == "tf32" or _cudnn_computes(SHORT_TYPES[precision], device, cell)


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))
    return native and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def _cudnn_computes(dtype: torch.dtype, device: torch.device, cell: CellSpec) -> bool:
    """Whether cuDNN computes the cell in this type: tried, because it depends on the versions of cuDNN and PyTorch.

    Without cuDNN, PyTorch starts several small kernels for each token. The name of the gradient says who computed.
    """
    size = 8
    shapes = ((cell.gates * size, size), (cell.gates * size, size), (cell.gates * size,), (cell.gates * size,))
    weights = [torch.zeros(shape, device=device, requires_grad=True) for shape in shapes]
    state = tuple(torch.zeros(1, size, size, device=device) for _ in cell.states)
    try:
        with torch.enable_grad(), torch.autocast(device.type, dtype):
            output, _ = run_layer(cell, weights, torch.zeros(1, size, size, device=device), state, train=True)
    except RuntimeError:
        return False
    return output.dtype == dtype and type(output.grad_fn).__name__.startswith(("CudnnRnn", "MiopenRnn"))
