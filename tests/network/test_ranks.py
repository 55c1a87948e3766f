"""Starts several processes on this machine, which gloo connects as it would connect machines."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from support import TEXT, charrnn, prepare_text

from charrnn_cli.network import ranks as ranks_module
from charrnn_cli.network.ranks import Ranks
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.weights import load_tensors

SMALL = "--cpu --no-preview --precision float32 --layers 2 --embedding 8 --batch-size 5 --seq-length 16 --reset 0.3"


TINY = f"train fox {SMALL} --hidden 8 --steps 9 --checkpoint-every 3".split()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def start(command, **variables):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start_ranks(size, *arguments):
    """The processes that torchrun would start."""
    port = free_port()
    return [
        start(
            [sys.executable, "-m", "charrnn_cli", "train", *arguments],
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(size),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
        )
        for rank in range(size)
    ]


def torchrun(*arguments, port=None):
    flags, command = arguments[: arguments.index("train")], arguments[arguments.index("train") :]
    address = ["--master-addr=127.0.0.1", f"--master-port={port or free_port()}"]
    return [sys.executable, "-m", "torch.distributed.run", *flags, *address, "-m", "charrnn_cli", *command]


def finish(processes, code=0):
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), "\n".join(outputs)
    return outputs


def losses(run):
    return [record["valid_loss"] for record in read_log(run.log) if record["kind"] == "validation"]


@pytest.mark.parametrize("count", [0, 1, 5, 64])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_every_item_belongs_to_exactly_one_rank(count, size):
    shares = [Ranks(rank, size).share(count) for rank in range(size)]
    assert [item for share in shares for item in range(count)[share]] == list(range(count))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_the_clock_of_several_ranks_stands_still_between_two_synchronizations(monkeypatch):
    ranks = Ranks(0, 2)
    monkeypatch.setattr(ranks, "sum", lambda tensor: tensor)  # the other rank sends zeros
    started = ranks.shared_time()
    assert not ranks.synchronize()
    later = ranks.shared_time()
    assert later > started
    assert ranks.shared_time() == later
    assert ranks.synchronize(stop=True)
    assert ranks.shared_time() > later


def test_the_clock_of_a_single_process_always_runs():
    ranks = Ranks()
    assert ranks.shared_time() < ranks.shared_time()
    assert ranks.synchronize(stop=True)
    assert not ranks.synchronize()


@pytest.mark.processes
def test_several_ranks_take_the_same_steps_as_one_and_any_number_can_resume(folder):
    text = "".join(map(chr, np.random.default_rng(0).integers(97, 110, 9000)))
    alone, together = prepare_text(folder, text, name="alone"), prepare_text(folder, text, name="together")
    flags = [*SMALL.split(), "--hidden", "16", "--dropout", "0", "--schedule", "constant", "--steps"]
    assert charrnn("train", "alone", *flags, "150").exit_code == 0
    for size, steps in ((2, "70"), (3, "150")):
        first, *others = finish(start_ranks(size, "together", *flags, steps))
        assert "".join(others) == ""  # only rank 0 prints
        assert f"{size} processes" in first
    np.testing.assert_allclose(losses(together)[-1:], losses(alone)[-1:], atol=2e-5)
    weights, expected = load_tensors(together.weights), load_tensors(alone.weights)
    for name in expected:
        np.testing.assert_allclose(weights[name], expected[name], atol=2e-3, err_msg=name)


@pytest.mark.processes
def test_killing_a_rank_loses_nothing(folder):
    runs = [prepare_text(folder, TEXT * 3, name=name) for name in ("whole", "killed")]
    flags = f"{SMALL} --hidden 64 --dropout 0.2 --steps 400 --checkpoint-every 20 --restart".split()
    finish(start_ranks(2, "whole", *flags))
    launcher = start(torchrun("--nproc-per-node=2", "--max-restarts=3", "train", "killed", *flags))
    for rank, step in ((1, 20), (0, 60)):
        while not any(checkpoint.step >= step for checkpoint in checkpoints(runs[1])):
            assert launcher.poll() is None, launcher.communicate()[0]
            time.sleep(0.01)
        children = subprocess.run(["pgrep", "-P", str(launcher.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(children[rank]), signal.SIGKILL)
    (output,) = finish([launcher])
    assert output.count("resuming from step") == 2
    whole, killed = (load_tensors(run.weights) for run in runs)
    assert all(np.array_equal(whole[name], killed[name]) for name in whole)


@pytest.mark.processes
def test_ctrl_c_saves_and_two_machines_resume(fox):
    flags = f"{SMALL} --hidden 16 --minutes 30".split()
    processes = start_ranks(2, "fox", *flags)
    while not any(record["kind"] == "report" for record in read_log(fox.log)):
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGTERM)  # to one rank only: it stops all of them
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert "saved at step" in outputs[0]
    assert [process.returncode for process in processes] == [0, 128 + signal.SIGTERM]
    step = max(record["step"] for record in read_log(fox.log))
    port = free_port()
    machines = [
        start(torchrun("--nnodes=2", f"--node-rank={k}", "train", "fox", "--steps", str(step + 20), port=port))
        for k in range(2)
    ]
    outputs = finish(machines)
    assert f"resuming from step {step:,}" in "".join(outputs)
    assert max(record["step"] for record in read_log(fox.log)) == step + 20


def test_gloo_replaces_nccl_where_pytorch_lacks_it(monkeypatch):
    assert ranks_module._backend() == ("gloo" if not torch.cuda.is_available() else ranks_module.CPU_AND_GPU)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    assert ranks_module._backend() == "cpu:gloo,cuda:nccl"
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: False)
    assert ranks_module._backend() == "gloo"


def one_message(processes):
    """The only line by charrnn in the outputs of processes that fail."""
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert all(process.returncode not in (0, None) for process in processes)
    lines = [line for output in outputs for line in output.splitlines()]
    messages = [line for line in lines if line.startswith("charrnn: ")]
    assert len(messages) == 1, "\n".join(outputs)
    return messages[0]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train fox --steps 1 --batch-size 1", "--batch-size 1 is too small for 2 processes. Pass at least 2"),
        ("train nothing", "nothing"),  # before the processes are connected
    ],
)
def test_a_mistake_is_reported_once_and_stops_all_ranks(fox, arguments, message):
    assert message in one_message([start(torchrun("--nproc-per-node=2", *arguments.split(), "--cpu"))])
    assert losses(fox) == []


@pytest.mark.processes
def test_a_rank_that_sees_another_folder_is_named_once(folder):
    """As two machines do whose folders are not shared."""
    port, launchers = free_port(), []
    for name in ("here", "there"):
        (folder / name).mkdir()
        os.chdir(folder / name)
        prepare_text(Path(), TEXT)
        command = torchrun("--nproc-per-node=1", "--nnodes=2", f"--node-rank={len(launchers)}", *TINY, port=port)
        launchers.append(start(command))
    outputs = [launcher.communicate(timeout=120)[0] for launcher in launchers]
    messages = [line for output in outputs for line in output.splitlines() if line.startswith("charrnn: ")]
    assert messages
    assert all("the processes see different runs: process 0 has" in message for message in messages)
    assert len(messages) <= 2  # one on each machine


@pytest.mark.processes
def test_a_rank_that_dies_while_saving_is_reported_once_and_the_run_resumes(fox):
    dying = (
        "import os, signal, sys\nfrom charrnn_cli.training import bookkeeping\nwrite = bookkeeping.write_checkpoint\n"
        "def die(run, settings, state, epoch):\n"
        "    if state.counters.step == 6 and state.ranks.first:\n"
        "        (run.checkpoints / '.unfinished').mkdir()\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(run, settings, state, epoch)\n"
        "bookkeeping.write_checkpoint = die\nfrom charrnn_cli.cli import main\nmain()"
    )
    Path("dying.py").write_text(dying)
    command = torchrun("--nproc-per-node=2", *TINY)
    at = command.index("-m", 4)
    message = one_message([start([*command[:at], "dying.py", *command[at + 2 :]])])
    assert "another of the 2 processes is lost" in message
    assert "the same command resumes" in message
    assert "resuming from step 3" in charrnn(*TINY).stderr
    assert checkpoints(fox)[-1].step == 9
