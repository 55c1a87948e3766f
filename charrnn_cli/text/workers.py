"""Processes that work on the blocks of a text, with results in the order of the text."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from charrnn_cli.errors import CharrnnError
from charrnn_cli.text.blocks import TextBlock

WAITING_BLOCKS = 2  # for each process
BlockResult = TypeVar("BlockResult")
Work = Callable[[TextBlock, Any], tuple[BlockResult, Any]]  # block, state before it or None to result, state after it


def work_in_order(
    work: Work[BlockResult], blocks: Iterable[TextBlock], processes: int
) -> Iterator[tuple[TextBlock, BlockResult]]:
    """Every block with its result. `work` must be picklable. Raises CharrnnError if a process is killed."""
    if processes == 1:
        yield from _in_this_process(work, blocks)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_process, (work,))
    waiting: deque[tuple[TextBlock, Future[tuple[BlockResult, Any]]]] = deque()
    future: Future[tuple[BlockResult, Any]] | None = None  # of the block before
    try:
        for block in blocks:
            state = None if block.independent or future is None else future.result()[1]
            future = pool.submit(_work_in_process, block, state)
            waiting.append((block, future))
            if len(waiting) > WAITING_BLOCKS * processes:
                yield _next_result(waiting)
        while waiting:
            yield _next_result(waiting)
    except BrokenProcessPool as error:
        raise CharrnnError(
            "a process that read the text has ended; it may have been killed, or the memory may be full. "
            "Try `workers=1`."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_this_process(work: Work[BlockResult], blocks: Iterable[TextBlock]) -> Iterator[tuple[TextBlock, BlockResult]]:
    state = None
    for block in blocks:
        result, state = work(block, None if block.independent else state)
        yield block, result


def _next_result(waiting: deque[tuple[TextBlock, Future[tuple[BlockResult, Any]]]]) -> tuple[TextBlock, BlockResult]:
    block, future = waiting.popleft()
    return block, future.result()[0]


_WORK: Work[Any]  # of this process, if it is one of a pool


def _start_process(work: Work[Any]) -> None:
    """Runs first in a new process. Leaves Ctrl-C to the parent, and ends the process when the parent ends."""
    global _WORK
    _WORK = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (connection.wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def _work_in_process(block: TextBlock, state: Any) -> tuple[Any, Any]:
    return _WORK(block, state)
