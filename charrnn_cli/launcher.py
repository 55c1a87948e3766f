"""What torchrun, or another launcher that sets the same variables, tells each process that it starts."""

import os
from pathlib import Path

THREADS = "OMP_NUM_THREADS"


def launched() -> bool:
    """Whether this process was started as one of several."""
    return "MASTER_ADDR" in os.environ and processes() > 1


def processes() -> int:
    """The number of processes on all machines."""
    return variable("WORLD_SIZE", 1)


def processes_here() -> int:
    """The number of processes on this machine; 1 if the launcher does not say."""
    return variable("LOCAL_WORLD_SIZE", 1) if launched() else 1


def local_rank() -> int:
    """The number of this process among those on this machine."""
    return variable("LOCAL_RANK", 0) if launched() else 0


def restarts() -> int:
    """How often torchrun has started the processes again after one of them was lost."""
    return variable("TORCHELASTIC_RESTART_COUNT", 0)


def chosen_threads() -> bool:
    """Whether the user set the number of threads in the environment.

    torchrun sets it to 1 where the user did not. Linux still shows the environment that torchrun itself was started
    with; elsewhere, 1 counts as torchrun's choice.
    """
    if os.environ.get(THREADS) != "1" or "TORCHELASTIC_RUN_ID" not in os.environ:
        return THREADS in os.environ
    try:
        environment = Path(f"/proc/{os.getppid()}/environ").read_bytes()
    except OSError:
        return False
    return any(entry.startswith(f"{THREADS}=".encode()) for entry in environment.split(b"\0"))


def variable(name: str, default: int) -> int:
    """An environment variable that is a number."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
