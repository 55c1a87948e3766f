"""The processes that train one model together, each on its own streams of the text; or a single process.

torchrun starts such processes and numbers them; each one is a rank. The gradients are means over the streams of all
ranks, so a run takes the same steps with any number of them, up to rounding (data parallelism by torch's
DistributedDataParallel: Li et al., arXiv 2006.15704).
"""

import gc
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from charrnn_cli.errors import CharrnnError, DeviceError, RunError
from charrnn_cli.launcher import launched, processes, restarts, variable

Result = TypeVar("Result")
CPU_AND_GPU = "cpu:gloo,cuda:nccl"  # the backend for tensors on either device
WAIT_FOR_START = 30 * 60.0  # seconds until all processes must have started
WAIT_FOR_STORE = timedelta(seconds=5)
NOT_STARTED, READY, FAILURES = "not started", "ready", "failures"  # keys of the store that all processes share


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

    def on_first(self, action: Callable[[], Result]) -> Result | None:
        """The result of `action` on rank 0, None on the others. If it fails on rank 0, all raise CharrnnError."""
        if self.first:
            succeeded = False
            try:
                result = action()
                succeeded = True
            finally:
                self._from_first(succeeded)
            return result
        if not self._from_first(False):
            raise _silent(CharrnnError(f"rank {self.rank} stops because rank 0 could not start."))
        return None

    def check_same(self, content: object, folder: str) -> None:
        """Raises RunError on every rank if the `content` of the `folder` is not the same on all of them."""
        if self.size == 1:
            return
        seen: list[Any] = [None] * self.size
        dist.all_gather_object(seen, (content, f"{folder} on {socket.gethostname()}"))
        for rank, (other_content, other_folder) in enumerate(seen):
            if other_content != seen[0][0]:
                raise RunError(
                    f"the processes see different runs: process 0 has {seen[0][1]}, and process {rank} has "
                    f"{other_folder}. Start all of them in the same folder; several machines need one that they share."
                )

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


@contextmanager
def joined() -> Iterator[Ranks]:
    """Connects to the other ranks, if there are any. Raises DeviceError if one of them is lost.

    If ranks fail, only the error of the first one that failed is not silent.
    """
    if not launched():
        yield Ranks()
        return
    try:
        yield _connected()
    except CharrnnError as error:
        _ignore_termination()
        error.silent = error.silent or not _is_first_failure(restarts())
        raise
    except RuntimeError as error:
        if not _is_lost_rank(error):
            raise
        _ignore_termination()
        reason = re.sub(r"^\[.*?\] ", "", str(error).strip()).split(". ")[0].splitlines()[0]  # not gloo's source line
        lost = DeviceError(
            f"another of the {processes()} processes is lost ({reason}). Everything saved is intact, and the same "
            "command resumes from it. torchrun --max-restarts 3 does so automatically."
        )
        lost.silent = not _is_first_failure(restarts())
        raise lost from error
    finally:
        if dist.is_initialized():
            gc.collect()  # objects that still hold the process group would keep its threads running
            dist.destroy_process_group()


def _ignore_termination() -> None:
    """Lets a process that ends with an error report it: torchrun terminates all as soon as one has ended."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def report_once(error: CharrnnError) -> None:
    """Makes an error silent if another process reports one. Other processes no longer wait for this one to start."""
    if error.silent is not None or not launched():
        return
    with suppress(RuntimeError):  # the store is gone, and so are the others
        _store().set(NOT_STARTED, "")
    error.silent = not _is_first_failure(restarts())


@cache
def _is_first_failure(start: int) -> bool:
    """Whether no other process on this machine has failed since torchrun started them for the `start`-th time."""
    machine = variable("GROUP_RANK", 0)
    try:
        return bool(_store().add(f"{FAILURES} of machine {machine}, start {start}", 1) == 1)
    except RuntimeError:  # without torchrun, rank 0 has the store: it failed too, or was killed
        return variable("RANK", 0) <= 1


def _store() -> Store:
    """A new connection to the store that all processes share."""
    address, port = os.environ["MASTER_ADDR"], variable("MASTER_PORT", 0)
    return _of_this_start(TCPStore(address, port, is_master=False, timeout=WAIT_FOR_STORE))


def _of_this_start(store: Store) -> Store:
    """The store without what earlier starts left: on one machine, torchrun's still has the addresses of lost ranks."""
    if variable("GROUP_WORLD_SIZE", 0) != 1:
        return store
    return PrefixStore(f"start-{restarts()}", store)


def _connected() -> Ranks:
    """Waits for the other ranks and connects to them."""
    store, rank, size = next(rendezvous("env://"))
    store = _of_this_start(store)
    _wait_for_all(store, size)
    dist.init_process_group(_backend(), store=store, rank=rank, world_size=size)
    return Ranks(rank, size)


def _wait_for_all(store: Store, size: int) -> None:
    """Waits until all ranks are here. Raises DeviceError if one of them has failed before, or does not come."""
    store.add(READY, 1)
    give_up = time.monotonic() + WAIT_FOR_START
    while (ready := store.add(READY, 0)) < size:
        if store.check([NOT_STARTED]):
            raise _silent(DeviceError("this process stops because another one could not start."))
        if time.monotonic() > give_up:
            raise DeviceError(f"only {ready} of {size} processes started in {WAIT_FOR_START / 60:g} minutes.")
        time.sleep(0.02)


def _backend() -> str:
    """gloo, and NCCL for GPUs where PyTorch has it: on Windows it does not, and gloo is slower."""
    return CPU_AND_GPU if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"


def _silent(error: CharrnnError) -> CharrnnError:
    """The same error, which another process reports."""
    error.silent = True
    return error


def _is_lost_rank(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "Gloo", "peer"))
