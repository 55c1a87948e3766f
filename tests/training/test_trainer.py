import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import ANY

import pytest
from support import TEXT, prepare_text

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.files import locked
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.log import read_log
from charrnn_cli.training.events import End, Report, record
from charrnn_cli.training.trainer import Started, train

SMALL = {"cpu": True, "hidden": 8, "layers": 1, "embedding": 4, "batch_size": 4, "seq_length": 8}


def test_it_starts_reports_and_ends(fox):
    started, *events = train(fox, **SMALL, steps=20)
    assert isinstance(started, Started)
    assert (started.step, started.device.type, started.ranks.size) == (0, "cpu", 1)
    assert events[-1] == End(20, True, events[-1].seconds)
    assert [record(event) for event in events] == list(read_log(fox.log))
    started, *events = train(fox, cpu=True, steps=25)
    assert started.step == 20
    assert events[-1].step == 25


def test_a_signal_stops_it_after_the_step_and_the_old_handler_comes_back(fox):
    before = signal.getsignal(signal.SIGINT)
    events = train(fox, **SMALL, steps=100_000)
    started = next(events)
    os.kill(os.getpid(), signal.SIGINT)
    *_, end = events
    assert (end.finished, started.signals.exit_code) == (False, 130)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_training_that_is_closed_early_gives_back_signals_and_lock(fox):
    before = signal.getsignal(signal.SIGINT)
    events = train(fox, **SMALL, steps=20, checkpoint_every=5)
    next(events)
    assert signal.getsignal(signal.SIGINT) is not before
    with pytest.raises(RunError, match="another charrnn"), locked(fox.folder):
        pass
    events.close()
    assert signal.getsignal(signal.SIGINT) is before
    with locked(fox.folder):
        pass


def test_a_training_that_is_closed_early_saves_its_last_step(fox):
    events = train("fox", **SMALL, steps=100_000, checkpoint_every=100_000)
    started = next(events)
    for event in events:
        if isinstance(event, Report) and event.step >= 3:
            break
    events.close()
    saved = checkpoints(fox)[-1].step
    assert saved >= 3
    assert started.signals.exit_code == 0
    assert list(read_log(fox.log))[-1] == {"kind": "end", "step": saved, "finished": False, "seconds": ANY}
    resumed, *_ = train(fox, cpu=True, steps=saved + 1)
    assert resumed.step == saved


def test_outside_of_the_main_thread_it_trains_and_leaves_signals_alone(fox):
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        events = train(fox, **SMALL, steps=20)
        pool.submit(next, events).result()
        assert signal.getsignal(signal.SIGINT) is before
        assert pool.submit(list, events).result()[-1].step == 20


def test_a_program_that_ends_while_it_trains_saves(fox):
    code = (
        "import charrnn_cli as charrnn\n"
        f"events = charrnn.train('fox', **{SMALL!r}, steps=100_000, checkpoint_every=100_000)\n"
        "for event in events:\n"
        "    if isinstance(event, charrnn.Report) and event.step >= 3: break\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert checkpoints(fox)[-1].step >= 3


def test_a_run_is_found_by_its_name_in_its_root(fox, folder, monkeypatch):
    monkeypatch.chdir("/")
    *_, end = train("fox", **SMALL, steps=2, root=folder / "runs")
    assert (end.step, end.finished) == (2, True)
    with pytest.raises(RunError, match="wolf"):
        next(train("wolf", root=folder / "runs"))


def test_the_model_that_training_started_from_is_found_in_the_same_root(fox, folder, monkeypatch):
    list(train(fox, **SMALL, steps=2))
    prepare_text(folder, TEXT, name="cub")
    monkeypatch.chdir("/")
    events = train("cub", origin="fox", cpu=True, steps=2, root=folder / "runs")
    next(events)
    events.close()  # before the first checkpoint
    started, *_ = train("cub", cpu=True, root=folder / "runs")
    assert started.setup.config.origin == "fox"
    assert started.setup.matched is not None


def test_restart_starts_over(fox):
    list(train(fox, **SMALL, steps=20))
    started, *events = train(fox, **SMALL, steps=5, restart=True)
    assert (started.step, events[-1].step) == (0, 5)
    assert [checkpoint.step for checkpoint in checkpoints(fox)] == [5]


def test_a_restart_that_cannot_write_event_files_loses_nothing(fox, monkeypatch):
    list(train(fox, **SMALL, steps=5))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        list(train(fox, **SMALL, steps=5, restart=True, tensorboard=True))
    assert fox.trained


def test_unknown_settings_are_refused(fox):
    with pytest.raises(UsageError, match="`hiden` is not a setting"):
        list(train(fox, hiden=8))


@pytest.mark.processes
def test_two_processes_report_and_save_on_neighboring_steps(fox):
    """Their clock stands still between two steps, and a report right after a checkpoint must not divide by zero."""
    flags = "--cpu --no-preview --hidden 8 --layers 1 --batch-size 2 --seq-length 8 --steps 12 --checkpoint-every 3"
    code = (
        "from charrnn_cli.training import pace\npace.REPORT_SECONDS = 0\n"  # a report at every step
        f"import sys\nsys.argv = ['charrnn', 'train', 'fox', *{flags.split()!r}]\n"
        "from charrnn_cli.cli import main\nmain()"
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(listener.getsockname()[1]), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **address, "OMP_NUM_THREADS": "1", "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    messages = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], messages
    records = list(read_log(fox.log))
    steps = {kind: [record["step"] for record in records if record["kind"] == kind] for kind in ("report", "saved")}
    assert steps["report"] == list(range(1, 13))
    assert {3, 6, 9, 12} <= set(steps["saved"])
    times = sorted(record["seconds_per_batch"] for record in records if record["kind"] == "report")
    assert times[0] > 0.1 * times[len(times) // 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"run": 3}, "`name` must be a text, got 3"),
        ({"restrat": True}, r"`restrat` is not a setting of training\. Did you mean restart\?"),
        ({"root": None}, "`root` must be a path, got None"),
        ({"origin": 3}, "`origin` must be a path, got 3"),
        ({"preset": 3}, "`preset` must be a text, got 3"),
        ({"minutes": None, "hidden": None}, r"`hidden` must be in \[1, 65536\], got None"),
        ({"before_exit": 3}, "`before_exit` must be a function, got 3"),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it(fox, arguments, message):
    with pytest.raises(UsageError, match=message):
        next(train(**{"run": fox, **SMALL, "steps": 1, **arguments}))


def test_it_starts_from_the_model_of_another_run(fox, folder):
    deque(train(fox, **SMALL, steps=2), maxlen=0)
    other = prepare_text(folder, TEXT, name="other")
    deque(train(other, cpu=True, steps=2, batch_size=4, seq_length=8, origin=fox), maxlen=0)
    assert json.loads(other.config.read_text())["origin"] == fox.name
