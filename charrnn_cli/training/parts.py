"""The parts of a window's streams that go through the network one after the other, to save memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from charrnn_cli.errors import DeviceError
from charrnn_cli.network.memory import is_out_of_memory
from charrnn_cli.network.model import HiddenState
from charrnn_cli.training.events import MemoryFull
from charrnn_cli.training.setup import Setup


@dataclass
class MicroBatch:
    """Some of the streams of a window."""

    x: Tensor  # (B, T)
    y: Tensor  # (B, T)
    hidden: HiddenState  # (L, B, H) each: before the window, then after it
    last: bool  # whether it is the last one of its window
    loss: Tensor = field(init=False)  # () its part of the mean loss of the window


def micro_batches(x: Tensor, y: Tensor, hidden: HiddenState, count: int) -> list[MicroBatch]:
    """Splits the streams of a window into `count` parts."""
    states = zip(*(tensor.tensor_split(count, dim=1) for tensor in hidden), strict=True)
    parts = zip(x.tensor_split(count), y.tensor_split(count), states, strict=True)
    return [
        MicroBatch(x_part, y_part, tuple(tensor.contiguous() for tensor in state), last=k == count - 1)
        for k, (x_part, y_part, state) in enumerate(parts)
    ]


def joined(parts: list[MicroBatch]) -> tuple[Tensor, HiddenState]:
    """The loss () of a window, and the hidden state of all streams after it."""
    loss = torch.zeros_like(parts[0].loss)
    for part in parts:
        loss += part.loss.detach()
    states = zip(*(part.hidden for part in parts), strict=True)
    return loss, tuple(torch.cat(tensors, dim=1).detach().float() for tensors in states)


class Splitting:
    """The number of parts: `accumulate`, and twice as many each time that the memory is full.

    Until its gradients are complete, a step changes nothing that it needs if it is taken again.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.parts = setup.config.training.accumulate
        self.failed = False  # whether the last attempt ran out of memory

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Computes the gradients of a step inside; without enough memory, this ends early and `failed` is true.

        Raises DeviceError if a step cannot be taken again in more parts.
        """
        self.failed = False
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._check_divisible(error)
            self.failed = True

    def split_further(self) -> MemoryFull:
        """Doubles the number of parts, also for later commands. Raises DiskError."""
        state, config = self._setup.state, self._setup.config
        self.parts = min(2 * self.parts, self._streams)
        state.model.zero_grad()
        if state.device.type == "cuda":
            torch.cuda.empty_cache()
        replace(config, training=replace(config.training, accumulate=self.parts)).save(self._setup.run.config)
        return MemoryFull(state.counters.step, self.parts, state.counters.seconds)

    @property
    def _streams(self) -> int:
        """The most parts that are possible: one stream each, on every rank."""
        return self._setup.config.training.batch_size // self._setup.state.ranks.size

    def _check_divisible(self, error: Exception) -> None:
        """Raises DeviceError if more parts are impossible, or would have to be agreed on by several ranks."""
        if self.parts >= self._streams:
            raise DeviceError(
                "the memory is full, and the network already reads one stream at a time. Everything saved before is "
                "intact. To start over with less memory, pass `restart=True` and a smaller `seq_length`, `hidden` or "
                "`layers`."
            ) from error
        if self._setup.state.ranks.size > 1:
            raise DeviceError(
                f"the memory of process {self._setup.state.ranks.rank} is full. Everything saved before is intact. To "
                f"resume with less memory, pass `accumulate={min(2 * self.parts, self._streams)}`."
            ) from error
