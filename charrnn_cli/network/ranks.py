"""The processes that train one model together, each on its own streams, as torchrun starts them; or one alone.

The gradients are those of all streams: with any number of ranks a run takes the same steps, to float tolerance
(data parallelism by torch's DistributedDataParallel: Li et al., arXiv 2006.15704).
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
BACKEND = "cpu:gloo,cuda:nccl"  # what carries tensors of either kind


class Ranks:
    """This process, one of `size`. What involves the others is called by all of them, in the same order."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self._now = time.perf_counter()

    @property
    def first(self) -> bool:
        """Whether this is the rank that draws, logs and saves."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` things in a row are this rank's: as evenly as can be, none where there are too few."""
        each, more = divmod(count, self.size)
        begin = self.rank * each + min(self.rank, more)
        return slice(begin, begin + each + (self.rank < more))

    def time(self) -> float:
        """Seconds on a clock that stands still between two calls of `agree` where there are several ranks."""
        return time.perf_counter() if self.size == 1 else self._now

    def agree(self, asked: bool = False) -> bool:
        """Whether any rank is asked to stop; sets the clock by the first rank's."""
        if self.size == 1:
            return asked
        said = torch.tensor([time.perf_counter() if self.first else 0.0, float(asked)], dtype=torch.float64)
        self._now, stops = self.sum(said).tolist()
        return bool(stops)

    def sum(self, part: Tensor) -> Tensor:
        """The sum over the ranks, in the place of `part`."""
        if self.size > 1:
            dist.all_reduce(part)
        return part

    def whole(self, part: Tensor, count: int) -> Tensor:
        """All `count` streams' states (L, B, H), of which `part` are this rank's."""
        if self.size == 1:
            return part
        everything = part.new_zeros(part.shape[0], count, part.shape[2])
        everything[:, self.share(count)] = part
        return self.sum(everything)

    def parallel(self, model: nn.Module) -> nn.Module:
        """A model whose gradients are the mean over the ranks."""
        return model if self.size == 1 else DistributedDataParallel(model, gradient_as_bucket_view=True)

    def apart(self, model: nn.Module) -> AbstractContextManager[None]:
        """While gradients are only added up here, because more is to come before they are needed."""
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def in_turn(self, first: Callable[[], Result], others: Callable[[], Result]) -> Result:
        """The first rank does `first` alone, then each other one `others`. Raises CharrnnError where that failed."""
        if self.first:
            done = False
            try:
                result = first()
                done = True
            finally:
                self._tell(done)
            return result
        if not self._tell(False):
            raise CharrnnError(f"rank {self.rank} ends, because rank 0 could not begin.")
        return others()

    def leave(self, code: int) -> None:
        """Ends the process with that exit code, where there are several ranks.

        At once: while an interpreter is taken down, a thread of gloo's that is still there aborts the process, and
        torchrun would take a run that is finished for one that is lost.
        """
        if self.size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _tell(self, value: bool) -> bool:
        """The first rank's value."""
        said = [value]
        if self.size > 1:
            dist.broadcast_object_list(said, 0)
        return said[0]


ALONE = Ranks()


def launched() -> bool:
    """Whether torchrun, or what sets the same variables, started this process as one of several."""
    return "MASTER_ADDR" in os.environ and _variable("WORLD_SIZE", 1) > 1


def local_rank() -> int:
    """Which of the processes on this machine this is."""
    return _variable("LOCAL_RANK", 0) if launched() else 0


def started_again() -> bool:
    """Whether torchrun has started this process in the place of one that was lost."""
    return _variable("TORCHELASTIC_RESTART_COUNT", 0) > 0


@contextmanager
def joined() -> Iterator[Ranks]:
    """Meets the other ranks, where there are any. Raises DeviceError where one of them is lost."""
    if not launched():
        yield Ranks()
        return
    try:
        store, rank, size = next(rendezvous("env://"))
        if _variable("GROUP_WORLD_SIZE", 0) == 1:  # torchrun's store on one machine still has the addresses of the lost
            again = _variable("TORCHELASTIC_RESTART_COUNT", 0)
            store = dist.PrefixStore(f"start-{again}", store)  # type: ignore[attr-defined]
        backend = BACKEND if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
        yield Ranks(rank, size)
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "Gloo", "peer")):
            reason = str(error).strip().splitlines()[0]
            raise DeviceError(
                f"another of the {_variable('WORLD_SIZE', 1)} processes is gone ({reason}). What was saved is whole; "
                "torchrun --max-restarts 3 goes on from there by itself."
            ) from error
        raise
    finally:
        if dist.is_initialized():
            gc.collect()  # what still holds the group would keep its threads until the process is torn down
            dist.destroy_process_group()


def _variable(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
