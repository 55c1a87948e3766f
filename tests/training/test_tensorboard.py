import sys

import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.runs.log import Log
from charrnn_cli.training.tensorboard import SCALARS, EventFiles

event_files = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def report(step):
    return {"kind": "report", "step": step, "loss": step / 10, "rate": 0.1, "tokens_per_second": 5.0, "skipped": 0}


def shown(run):
    events = event_files.EventAccumulator(str(run.tensorboard))
    events.Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_every_scalar_of_a_record_is_shown_and_nothing_else(fox):
    with EventFiles(fox, 0) as files:
        files.write(report(3))
        files.write({"kind": "validation", "step": 4, "valid_loss": 2.0})
        files.write({"kind": "saved", "step": 4, "seconds": 1.0})
    scalars = shown(fox)
    assert set(scalars) == {name for names in SCALARS.values() for name in names.values()}
    assert scalars["loss/train"] == [(3, pytest.approx(0.3))]
    assert scalars["loss/valid"] == [(4, 2.0)]


def test_it_starts_with_the_log_up_to_the_step_and_replaces_older_files(fox):
    with Log(fox.log, 0) as log:
        for step in (1, 2, 3):
            log.write(report(step))
    for _ in range(2):
        with EventFiles(fox, 2) as files:
            files.write(report(3))
    assert [step for step, _ in shown(fox)["loss/train"]] == [1, 2, 3]


def test_without_tensorboard_the_error_says_what_to_install(fox, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        EventFiles(fox, 0)
