from pathlib import Path

import pytest

from charrnn_cli.errors import DiskError
from charrnn_cli.runs.log import Log, read_log


def test_records_of_steps_that_will_be_repeated_are_dropped(folder):
    path = folder / "log.jsonl"
    with Log(path, step=0) as log:
        for step in (10, 20, 30):
            log.write({"kind": "report", "step": step})
        log.write({"kind": "end", "step": 30})
    with path.open("ab") as file:
        file.write(b'{"kind": "report", "st')
    with Log(path, step=20) as log:
        log.write({"kind": "report", "step": 30, "again": True})
    assert list(read_log(path)) == [
        {"kind": "report", "step": 10},
        {"kind": "report", "step": 20},
        {"kind": "report", "step": 30, "again": True},
    ]


def test_a_missing_log_is_empty(folder):
    assert list(read_log(folder / "log.jsonl")) == []


@pytest.mark.parametrize(
    "line",
    [b"", b"[1]", b'{"kind": [], "step": 1}', b'{"kind": "report"}', b'{"kind": "report", "step": "1"}', b"[" * 10**5],
)
def test_lines_that_are_not_records_are_skipped(folder, line):
    path = folder / "log.jsonl"
    path.write_bytes(line + b'\n{"kind": "report", "step": 10}\n')
    with Log(path, step=20):
        assert list(read_log(path)) == [{"kind": "report", "step": 10}]


def test_going_back_drops_the_records_of_later_steps(folder):
    with Log(folder / "log.jsonl", step=0) as log:
        for step in (10, 20):
            log.write({"kind": "report", "step": step})
        log.back_to(10)
        log.write({"kind": "report", "step": 15})
    assert [record["step"] for record in read_log(folder / "log.jsonl")] == [10, 15]


def test_an_unreadable_log_is_a_disk_error(folder, monkeypatch):
    (folder / "log.jsonl").touch()

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DiskError, match=r"cannot read .*log\.jsonl"):
        list(read_log(folder / "log.jsonl"))
