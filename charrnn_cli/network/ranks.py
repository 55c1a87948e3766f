"""The processes that train one model together, each on its own streams of the text; or a single process.

torchrun starts such processes and numbers them; each one is a rank. The gradients are means over the streams of all
ranks, so a run takes the same steps with any number of them, up to rounding (data parallelism by torch's
DistributedDataParallel: Li et al., arXiv 2006.15704).
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from charrnn_cli.errors import CharrnnError, DeviceError

Result = TypeVar("Result")
CPU_AND_GPU = "cpu:gloo,cuda:nccl"  # the backend for tensors on either device


class Ranks:
    """This process as one of `size` ranks. All ranks must call the methods that communicate, in the same order."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self._shared_time = time.perf_counter()

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which prints, logs and saves."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` items belong to this rank: an equal share up to one item, possibly none."""
        smallest, larger_shares = divmod(count, self.size)  # the first ranks have one item more
        start = self.rank * smallest + min(self.rank, larger_shares)
        return slice(start, start + smallest + (1 if self.rank < larger_shares else 0))

    def synchronize(self, stop: bool = False) -> bool:
        """Sets the shared clock to that of rank 0, and says whether any rank wants to stop.

        Communicates, unless this is the only rank.
        """
        if self.size == 1:
            return stop
        message = torch.tensor([time.perf_counter() if self.first else 0.0, float(stop)], dtype=torch.float64)
        self._shared_time, stops = self.sum(message).tolist()
        return bool(stops)

    def shared_time(self) -> float:
        """Seconds on a clock that shows the same on every rank.

        With several ranks it advances only in `synchronize`. Between two calls it stands still, so that ranks
        that decide by the time (whether to validate, save or stop) all decide the same.
        """
        return time.perf_counter() if self.size == 1 else self._shared_time

    def sum(self, tensor: Tensor) -> Tensor:
        """Adds up a tensor over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def gather(self, state: Tensor, streams: int) -> Tensor:
        """The hidden states (L, streams, H) of all ranks, from those of this rank."""
        if self.size == 1:
            return state
        whole = state.new_zeros(state.shape[0], streams, state.shape[2])
        whole[:, self.share(streams)] = state
        return self.sum(whole)

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model, with gradients that are means over the ranks."""
        return model if self.size == 1 else DistributedDataParallel(model, gradient_as_bucket_view=True)

    def local_gradients(self, model: nn.Module) -> AbstractContextManager[None]:
        """Keeps the gradients of a backward pass on this rank; a later backward pass sends their sum."""
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def in_turn(self, first: Callable[[], Result], others: Callable[[], Result]) -> Result:
        """Runs `first` on rank 0, and after that `others` on the other ranks. Raises CharrnnError if `first` failed."""
        if self.first:
            succeeded = False
            try:
                result = first()
                succeeded = True
            finally:
                self._from_first(succeeded)
            return result
        if not self._from_first(False):
            raise CharrnnError(f"rank {self.rank} stops because rank 0 could not start.")
        return others()

    def leave(self, code: int) -> None:
        """Ends the process at once with this exit code, if there are several ranks.

        If the interpreter shut down in its usual way, a thread of gloo that is still running could abort the process,
        and torchrun would treat a finished run as failed.
        """
        if self.size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _from_first(self, value: bool) -> bool:
        """The value of rank 0, on every rank."""
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, 0)
        return values[0]


ALONE = Ranks()


def launched() -> bool:
    """Whether torchrun, or another launcher that sets the same variables, started this process as one of several."""
    return "MASTER_ADDR" in os.environ and _variable("WORLD_SIZE", 1) > 1


def local_rank() -> int:
    """The number of this process among those on this machine."""
    return _variable("LOCAL_RANK", 0) if launched() else 0


def started_again() -> bool:
    """Whether torchrun started this process to replace one that was lost."""
    return _variable("TORCHELASTIC_RESTART_COUNT", 0) > 0


@contextmanager
def joined() -> Iterator[Ranks]:
    """Connects to the other ranks, if there are any. Raises DeviceError if one of them is lost."""
    if not launched():
        yield Ranks()
        return
    try:
        yield _connected()
    except RuntimeError as error:
        if not _is_lost_rank(error):
            raise
        reason = str(error).strip().splitlines()[0]
        raise DeviceError(
            f"another of the {_variable('WORLD_SIZE', 1)} processes is lost ({reason}). Everything saved is intact. "
            "torchrun --max-restarts 3 resumes from it automatically."
        ) from error
    finally:
        if dist.is_initialized():
            gc.collect()  # objects that still hold the process group would keep its threads running
            dist.destroy_process_group()


def _connected() -> Ranks:
    """Waits for the other ranks and connects to them."""
    store, rank, size = next(rendezvous("env://"))
    if _variable("GROUP_WORLD_SIZE", 0) == 1:  # on one machine torchrun's store still has the addresses of lost ranks
        restarts = _variable("TORCHELASTIC_RESTART_COUNT", 0)
        store = dist.PrefixStore(f"start-{restarts}", store)  # type: ignore[attr-defined]
    backend = CPU_AND_GPU if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    return Ranks(rank, size)


def _is_lost_rank(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "Gloo", "peer"))


def _variable(name: str, default: int) -> int:
    """An environment variable that is a number."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
