"""Settings for this machine: processor cores, the kernels of NumPy, and the reuse of freed memory."""

import os
import re
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from malloc.h
KEPT_BYTES = 1 << 30
ZEN_4 = re.compile(r"AuthenticAMD\ncpu family\s*: 25\n.*?\bavx512f\b", re.DOTALL)


def choose_kernels(processor: Path = Path("/proc/cpuinfo")) -> None:
    """Makes OpenBLAS use its AVX2 kernels on AMD's Zen 4, where they are faster than its AVX-512 kernels.

    Zen 4 computes 512 bits in two halves. Call this before NumPy is loaded. If OPENBLAS_CORETYPE is set, it stays.
    """
    try:
        with processor.open() as file:
            first_core = file.read(4096)
    except OSError:  # not Linux
        return
    if ZEN_4.search(first_core):
        os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")


def limit_spinning() -> None:
    """Makes OpenMP threads that wait for others give up their core soon. Call this before torch is loaded.

    A thread that spins takes the core from what it waits for, if the machine is busy. About 0.1 ms bridges the pauses
    between two parallel parts of a step.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def available_cores() -> int:
    """The number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Makes glibc keep large freed blocks for the next step, instead of returning them to the system.

    Each step of training or writing allocates the same few arrays again, and the system would have to zero new pages.
    Without glibc this does nothing.
    """
    import ctypes  # only the commands that compute need it

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        mallopt(parameter, KEPT_BYTES)
