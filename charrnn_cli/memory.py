"""What the system does with memory that is freed."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BYTES = 1 << 30


def keep_freed_memory() -> None:
    """Asks glibc to keep large blocks that are freed for the next step, instead of fetching zeroed pages each time.

    A step of training, or of writing, frees and asks for the same few arrays again. Without glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        mallopt(option, KEPT_BYTES)
