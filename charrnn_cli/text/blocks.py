"""A long text in blocks that several processes work on, with a result that does not depend on how many those are.

A block can begin anew where what stands before it makes no difference to how it is split into words: behind a blank
line, or the end of a document. One that cannot waits for the state that the block before it ends with.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import Any, NamedTuple, TypeVar

from charrnn_cli.errors import CharrnnError

BLOCK = 1 << 20  # characters, about
LONGEST = 16 * BLOCK  # after which a block ends wherever that is: memory stays bounded
AHEAD = 2  # blocks that wait for each process
Result = TypeVar("Result")


class Block(NamedTuple):
    """A part of a text."""

    texts: tuple[str, ...]  # each but the last one ends a file
    ends_file: bool  # whether the last one does
    fresh: bool  # whether it begins anew
    size: int  # bytes read for it


Work = Callable[[Block, Any], tuple[Result, Any]]  # a block and the state before it to a result and the state after it


def blocks(files: Iterable[Iterable[tuple[str, int]]], ends: tuple[str, ...], fresh_files: bool) -> Iterator[Block]:
    """Files, as chunks of text with the bytes read for them, in blocks.

    A block ends with one of `ends`, behind which the next one begins anew; so does a file with `fresh_files`.
    """
    parts: list[list[str]] = [[]]  # of each file
    length, size, fresh = 0, 0, True
    for chunks in files:
        for text, read in chunks:
            size += read
            while cut := _cut(text, length, ends):
                parts[-1].append(text[:cut])
                yield Block(tuple(map("".join, parts)), False, fresh, size)
                fresh = text[:cut].endswith(ends)
                parts, length, size, text = [[]], 0, 0, text[cut:]
            parts[-1].append(text)
            length += len(text)
        if length >= BLOCK:
            texts = tuple(map("".join, parts))
            yield Block(texts, True, fresh, size)
            fresh = fresh_files or texts[-1].endswith(ends)
            parts, length, size = [[]], 0, 0
        else:
            parts.append([])
    if parts[:-1]:
        yield Block(tuple(map("".join, parts[:-1])), True, fresh, size)


def _cut(text: str, length: int, ends: tuple[str, ...]) -> int:
    """Where the block that has `length` characters ends in a text that goes on from it; 0: behind it."""
    room = max(BLOCK - length, 0)
    cuts = [at + len(end) for end in ends if (at := text.find(end, room)) >= 0]
    return min(cuts, default=len(text) if length + len(text) >= LONGEST else 0)


def in_order(work: Work[Result], blocks: Iterable[Block], processes: int) -> Iterator[tuple[Block, Result]]:
    """Every block with what `work` makes of it, a function of a module. Raises CharrnnError where a process is lost."""
    if processes == 1:
        state = None
        for block in blocks:
            result, state = work(block, None if block.fresh else state)
            yield block, result
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (work,))
    waiting: deque[tuple[Block, Future[tuple[Result, Any]]]] = deque()
    last: Future[tuple[Result, Any]] | None = None
    try:
        for block in blocks:
            state = None if block.fresh or last is None else last.result()[1]
            last = pool.submit(_work, block, state)
            waiting.append((block, last))
            if len(waiting) > AHEAD * processes:
                done, future = waiting.popleft()
                yield done, future.result()[0]
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()[0]
    except BrokenProcessPool as error:
        raise CharrnnError(
            "one of the processes that read the text is gone; was it killed, or the memory full? Try --workers 1."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_WORK: Work[Any]


def _begin(work: Work[Any]) -> None:
    """In a new process: keeps the work, leaves Ctrl-C to its parent, and ends with it, however that ends."""
    global _WORK
    _WORK = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mother = parent_process()
    if mother is not None:
        threading.Thread(target=lambda: (connection.wait([mother.sentinel]), os._exit(1)), daemon=True).start()


def _work(block: Block, state: Any) -> tuple[Any, Any]:
    return _WORK(block, state)
