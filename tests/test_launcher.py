import os
import subprocess
import sys

import pytest

from charrnn_cli.launcher import chosen_threads, launched, local_rank, processes_here, restarts

ASK = "from charrnn_cli.launcher import chosen_threads; print(chosen_threads())"
LAUNCHER = (  # does what torchrun does
    "import os, subprocess, sys\n"
    "os.environ.setdefault('OMP_NUM_THREADS', '1')\n"
    f"subprocess.run([sys.executable, '-c', {ASK!r}], env=os.environ | {{'TORCHELASTIC_RUN_ID': 'x'}}, check=True)"
)


def test_a_process_is_alone_unless_a_launcher_started_several(monkeypatch):
    assert not launched()
    assert restarts() == 0
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "here"}.items():
        monkeypatch.setenv(name, value)
    assert launched()
    assert (local_rank(), processes_here()) == (1, 2)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not launched()
    assert (local_rank(), processes_here()) == (0, 1)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert restarts() == 1


def test_the_number_of_threads_is_the_users_unless_torchrun_set_it(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert not chosen_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert chosen_threads()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert chosen_threads()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("by_user", [False, True])
def test_the_one_thread_of_torchrun_is_told_from_that_of_the_user(by_user):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    if by_user:
        environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run([sys.executable, "-c", LAUNCHER], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(by_user)
