import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from charrnn_cli.errors import DiskError
from charrnn_cli.text import spool
from charrnn_cli.text.spool import temporary_folder

USE = """
import sys
from charrnn_cli.text.spool import temporary_folder
with temporary_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(folder, monkeypatch) -> Path:
    """The place of all temporary folders, empty at first."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def use() -> tuple[subprocess.Popen[bytes], Path]:
    """A process that uses a temporary folder, and the folder."""
    process = subprocess.Popen([sys.executable, "-c", USE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return process, Path(process.stdout.readline().decode().rstrip())


def test_a_folder_exists_for_its_block(place):
    with temporary_folder() as name:
        assert Path(name).parent == place
        Path(name, "text").write_text("from a pipe")
    assert list(place.iterdir()) == []


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one(place):
    process, left = use()
    (left / "text").write_text("private")
    with temporary_folder():
        assert left.exists()
    process.kill()
    process.communicate()
    assert left.exists()
    with temporary_folder():
        assert not left.exists()
    assert list(place.iterdir()) == []


def test_a_folder_whose_process_was_killed_before_it_had_a_lock_is_removed(place):
    (place / "charrnn-12345678").mkdir()
    with temporary_folder():
        assert not (place / "charrnn-12345678").exists()


def test_the_lock_is_removed_last(place, monkeypatch):
    """Whatever moment a process is killed at, the next one can remove the rest."""
    removed = []
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path, **named: (removed.append(path.name), unlink(path, **named)))
    with temporary_folder() as name:
        Path(name, "text").write_text("from a pipe")
        Path(name, "inside").mkdir()
    assert removed == ["text"]
    assert list(place.iterdir()) == []


def test_a_folder_that_another_process_removes_at_once_is_made_again(place, monkeypatch):
    new_lock, failures = spool.new_lock, [FileNotFoundError()]

    def removed_once(path):
        if failures:
            path.parent.rmdir()
            raise failures.pop()
        return new_lock(path)

    monkeypatch.setattr(spool, "new_lock", removed_once)
    with temporary_folder() as name:
        assert Path(name).is_dir()
    assert list(place.iterdir()) == []


def test_what_charrnn_did_not_make_stays(place):
    for name in ("charrnn-training", "charrnn-12345678", "other-12345678"):
        (place / name).mkdir()
    (place / "charrnn-12345678" / ".lock").mkdir()
    (place / "charrnn-training" / ".lock").touch()
    (place / "charrnn-87654321").mkdir()
    (place / "charrnn-87654321" / "text").write_text("of release 0.1, which had no locks")
    (place / "other-12345678" / ".lock").write_bytes(b"charrnn")
    (place / "charrnn-abcdefgh").symlink_to("other-12345678")
    before = sorted(place.rglob("*"))
    with temporary_folder():
        pass
    assert sorted(place.rglob("*")) == before


def test_folders_of_other_users_stay(place, monkeypatch):
    process, left = use()
    process.kill()
    process.communicate()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with temporary_folder():
        assert left.exists()


def test_a_missing_place_for_temporary_folders_is_a_disk_error(place, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place / "missing"))
    with pytest.raises(DiskError, match="cannot write"), temporary_folder():
        pass


def test_a_folder_that_another_process_removes_at_the_same_time_is_skipped(place):
    (place / "charrnn-12345678").mkdir()
    with os.scandir(place) as entries:
        (entry,) = entries
    (place / "charrnn-12345678").rmdir()
    assert not spool._is_own(entry)
