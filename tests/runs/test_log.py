import pytest

from charrnn_cli.runs.log import Log, read_log


def test_records_come_back_and_those_that_will_be_made_again_are_dropped(folder):
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


def test_a_log_that_is_not_there_is_empty(folder):
    assert list(read_log(folder / "log.jsonl")) == []


@pytest.mark.parametrize(
    "line",
    [b"", b"[1]", b'{"kind": [], "step": 1}', b'{"kind": "report"}', b'{"kind": "report", "step": "1"}', b"[" * 10**5],
)
def test_a_line_that_is_no_record_is_passed_over(folder, line):
    """A kind that is a list ended `charrnn plot` with a traceback."""
    path = folder / "log.jsonl"
    path.write_bytes(line + b'\n{"kind": "report", "step": 10}\n')
    with Log(path, step=20):
        assert list(read_log(path)) == [{"kind": "report", "step": 10}]
