import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn_cli import locks
from charrnn_cli.locks import new_lock, open_folder_lock, take_over, try_lock

HOLD = (
    "import pathlib, sys\nfrom charrnn_cli.locks import new_lock\n"
    "new_lock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def hold(path: Path) -> subprocess.Popen[bytes]:
    """A process that holds a new lock."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    return other


def test_a_lock_ends_with_its_process(folder):
    other = hold(folder / "a.lock")
    assert take_over(folder / "a.lock") is None
    other.kill()
    other.communicate()
    descriptor = take_over(folder / "a.lock")
    assert descriptor is not None
    assert take_over(folder / "a.lock") is None
    os.close(descriptor)


def test_a_lock_file_that_was_removed_before_it_was_locked_does_not_count(folder, monkeypatch):
    def removed(descriptor):
        (folder / "a.lock").unlink()
        return try_lock(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(locks, "try_lock", removed)
        assert new_lock(folder / "a.lock") is None
    descriptor = new_lock(folder / "a.lock")
    assert descriptor is not None
    os.close(descriptor)


def test_without_locks_a_process_counts_as_running(folder, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks, "try_lock", unsupported)
    descriptor = new_lock(folder / "a.lock")
    assert descriptor is not None
    assert take_over(folder / "a.lock") is None
    os.close(descriptor)


def test_a_lock_that_is_missing_or_not_a_file(folder):
    with pytest.raises(FileNotFoundError):
        take_over(folder / "a.lock")
    (folder / "a.lock").mkdir()
    assert take_over(folder / "a.lock") is None


@pytest.mark.parametrize("folders_can_be_locked", [True, False])
def test_a_folder_is_locked_once(folder, monkeypatch, folders_can_be_locked):
    monkeypatch.setattr(locks, "FOLDERS_CAN_BE_LOCKED", folders_can_be_locked)
    (folder / "run").mkdir()
    one, two = open_folder_lock(folder / "run"), open_folder_lock(folder / "run")
    assert try_lock(one)
    assert not try_lock(two)
    os.close(one)
    assert try_lock(two)
    os.close(two)
    with pytest.raises(FileNotFoundError):
        open_folder_lock(folder / "missing")


def test_the_lock_file_of_another_program_is_left_alone(folder):
    (folder / "a.lock").write_bytes(b"charrnn 4711")
    assert take_over(folder / "a.lock") is None


def test_the_empty_file_of_a_process_that_was_killed_as_it_made_a_lock_is_taken_over(folder):
    (folder / "a.lock").touch()
    assert take_over(folder / "a.lock") is None
    descriptor = take_over(folder / "a.lock", may_be_empty=True)
    assert descriptor is not None
    os.close(descriptor)
