"""Runs one recurrent layer; on a GPU with 16-bit numbers, in the way that is fastest in cuDNN.

cuDNN has kernels that keep the recurrent weights on the chip from token to token. PyTorch chooses them for float16 if H
is a multiple of 128 up to 1024, I a multiple of 128, and B a multiple of 8 up to 128 (`use_persist_common_heuristics`
in aten/src/ATen/native/cudnn/RNN.cpp). So streams and inputs are padded with zeros, which changes no result.

Sizes: B streams, T tokens, I inputs, H hidden.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from charrnn_cli.network.cells import CellSpec

STREAM_MULTIPLE, INPUT_MULTIPLE = 8, 128  # what the kernels accept

_State = tuple[Tensor, ...]
LayerResult = tuple[Tensor, _State]  # output (T, B, H) and state
LayerFunction = Callable[[CellSpec, Sequence[Tensor], Tensor, _State, bool], LayerResult]  # such as `run_layer`


def run_layer(cell: CellSpec, weights: Sequence[Tensor], x: Tensor, state: _State, train: bool) -> LayerResult:
    """x (T, B, I) and state (1, B, H) each, to output (T, B, H) and state. Weights are in the order of `CellSpec`."""
    dtype = short_type(x.device)
    if dtype is None:
        scattered = x.is_cuda and len({weight.untyped_storage().data_ptr() for weight in weights}) > 1
        return _run(cell, in_one_block(weights, x.dtype) if scattered else list(weights), x, state, train)
    x, weights = pad_inputs(x, weights)
    with torch.autocast(x.device.type, enabled=False):  # it would make float16 of bfloat16
        short_state = tuple(part.to(dtype) for part in state)
        return _run(cell, in_one_block(weights, dtype), x.to(dtype), short_state, train)


def run_steps(cell: CellSpec, weights: Sequence[Tensor], x: Tensor, state: _State) -> _State:
    """Like `run_layer` without training, but returns the states (T, B, H) after every token."""
    steps = []
    for t in range(len(x)):
        state = _after_token(cell, weights, x[t : t + 1], state)  # (1, B, H)
        steps.append(state)
    return tuple(torch.cat(parts) for parts in zip(*steps, strict=True))


def _after_token(cell: CellSpec, weights: Sequence[Tensor], x: Tensor, state: _State) -> _State:
    """The state after one token x (1, B, I). Torch's function for one token, if there is one, has less overhead."""
    function = getattr(torch, f"{cell.function}_cell", None)
    if function is None:
        return run_layer(cell, weights, x, state, train=False)[1]
    parts = [part[0] for part in state]  # (B, H)
    new_parts = function(x[0], parts if len(parts) > 1 else parts[0], *weights)
    return tuple(part[None] for part in (new_parts if isinstance(new_parts, tuple) else (new_parts,)))


def short_type(device: torch.device) -> torch.dtype | None:
    """The 16-bit type of autocast on a GPU; None without autocast. On a CPU, autocast chooses for each layer itself."""
    if device.type != "cuda" or not torch.is_autocast_enabled("cuda"):
        return None
    return torch.get_autocast_dtype("cuda")


def pad_streams(x: Tensor, state: _State) -> tuple[Tensor, _State]:
    """Adds streams of zeros to x (T, B, I) and to each state (L, B, H)."""
    added = -x.shape[1] % STREAM_MULTIPLE
    if not added:
        return x, state
    return F.pad(x, (0, 0, 0, added)), tuple(F.pad(part, (0, 0, 0, added)) for part in state)


def first_streams(x: Tensor, streams: int) -> Tensor:
    """x (T, B, I) or a state (L, B, H) without the streams that were added. No gradient reaches those."""
    return x if x.shape[1] == streams else x[:, :streams]


def pad_inputs(x: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
    """Adds inputs of zeros to x (T, B, I) and to the weights that multiply it (gates * H, I), if H fits the kernels."""
    input_weight, recurrent_weight, *biases = weights
    added = -x.shape[2] % INPUT_MULTIPLE
    if not added or recurrent_weight.shape[1] % INPUT_MULTIPLE:
        return x, weights
    return F.pad(x, (0, added)), [F.pad(input_weight, (0, added)), recurrent_weight, *biases]


def in_one_block(weights: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """The weights as parts of one block of memory, in cuDNN's order. Weights elsewhere are copied in each call."""
    block = torch.cat([weight.flatten() for weight in weights]).to(dtype)
    parts = block.split_with_sizes([weight.numel() for weight in weights])
    return [part.view(weight.shape) for part, weight in zip(parts, weights, strict=True)]


def _run(cell: CellSpec, weights: list[Tensor], x: Tensor, state: _State, train: bool) -> tuple[Tensor, _State]:
    function = getattr(torch, cell.function)
    has_biases, layers, dropout, bidirectional, batch_first = True, 1, 0.0, False, False
    hidden = state if len(state) > 1 else state[0]
    output, *new_state = function(x, hidden, weights, has_biases, layers, dropout, train, bidirectional, batch_first)
    return output, tuple(new_state)
