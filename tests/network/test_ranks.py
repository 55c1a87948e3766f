"""Starts several processes on this machine, which gloo connects as it would connect machines."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from support import TEXT, charrnn, prepare_text

from charrnn_cli.network.ranks import Ranks, launched, started_again
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.weights import load_tensors

SMALL = "--cpu --no-preview --precision float32 --layers 2 --embedding 8 --batch-size 5 --seq-length 16 --reset 0.3"


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


def test_a_process_is_alone_unless_a_launcher_started_several(monkeypatch):
    assert not launched() and not started_again()
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    assert launched()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not launched()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert started_again()


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


def test_several_ranks_take_the_same_steps_as_one_and_any_number_can_resume(folder):
    text = "".join(map(chr, np.random.default_rng(0).integers(97, 110, 9000)))
    alone, together = prepare_text(folder, text, name="alone"), prepare_text(folder, text, name="together")
    flags = [*SMALL.split(), "--hidden", "16", "--dropout", "0", "--schedule", "constant", "--steps"]
    assert charrnn("train", "alone", *flags, "150").exit_code == 0
    for size, steps in ((2, "70"), (4, "150")):
        first, *others = finish(start_ranks(size, "together", *flags, steps))
        assert "".join(others) == ""  # only rank 0 prints
        assert f"{size} processes" in first
    np.testing.assert_allclose(losses(together)[-1:], losses(alone)[-1:], atol=2e-5)
    weights, expected = load_tensors(together.weights), load_tensors(alone.weights)
    for name in expected:
        np.testing.assert_allclose(weights[name], expected[name], atol=2e-3, err_msg=name)


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


def test_a_wrong_setting_is_reported_once_and_stops_all_ranks(fox):
    for arguments, message in (
        (["--steps", "1", "--batch-size", "1"], "--batch-size 1 is too small for 2 processes"),
        (["--steps", "0"], "--steps"),
    ):
        processes = start_ranks(2, "fox", "--cpu", *arguments)
        outputs = [process.communicate(timeout=60)[0] for process in processes]
        assert message in outputs[0]
        assert processes[0].returncode == 2
        assert processes[1].returncode != 0
        assert not any("Traceback" in output for output in outputs)
    assert losses(fox) == []
