import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn_cli import files
from charrnn_cli.errors import DiskError, RunError
from charrnn_cli.files import (
    anything_exists,
    check_regular,
    file_exists,
    file_size,
    finish_renames,
    folder_exists,
    new_folder,
    read_json,
    remove_leftovers,
    temporary_beside,
    write_bytes,
    write_files,
    write_json,
)


def test_loaded_json_equals_the_saved_one(folder):
    record = {"tokens": ["\n", "é", "😀", "\ud800"], "n": 1}
    write_json(folder / "a.json", record)
    assert read_json(folder / "a.json") == record


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_file_without_a_json_object_is_damaged(folder, data):
    (folder / "a.json").write_bytes(data)
    with pytest.raises(RunError, match=r"a\.json is damaged"):
        read_json(folder / "a.json")


def test_a_link_to_nothing_exists_too(folder):
    assert not anything_exists(folder / "a")
    assert not anything_exists(folder / "a" / "b")
    (folder / "a").symlink_to("nowhere")
    assert anything_exists(folder / "a")
    (folder / "b").touch()
    assert not anything_exists(folder / "b" / "c")


def test_a_named_pipe_is_not_opened(folder):
    os.mkfifo(folder / "a.json")
    for read in (check_regular, read_json):
        with pytest.raises(RunError, match=r"a\.json is damaged: it is not a regular file"):
            read(folder / "a.json")


@pytest.mark.parametrize("target", ["/dev/zero", "."])
def test_only_regular_files_are_read(folder, target):
    (folder / "a.json").symlink_to(target)
    with pytest.raises(RunError, match=r"a\.json is damaged: it is not a regular file"):
        read_json(folder / "a.json")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    write_bytes(folder / "a", b"old")

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "flush", full)
    with pytest.raises(DiskError, match="No space left"):
        write_bytes(folder / "a", b"new")
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert (folder / "a").read_bytes() == b"old"


def test_of_several_files_none_is_replaced_if_one_cannot_be_written(folder, monkeypatch):
    write_files({folder / "a": b"old a", folder / "b": b"old b"})
    flush, flushed = files.flush, []

    def full(file):
        flushed.append(file)
        if len(flushed) == 2:
            raise OSError(28, "No space left on device")
        flush(file)

    monkeypatch.setattr(files, "flush", full)
    with pytest.raises(DiskError, match=r"cannot write .*b: No space left"):
        write_files({folder / "a": b"new", folder / "b": b"new"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a": b"old a", "b": b"old b"}


def test_a_folder_appears_complete_or_not_at_all(folder):
    with pytest.raises(KeyboardInterrupt), new_folder(folder / "run") as run:
        (run / "half").write_text("x")
        raise KeyboardInterrupt
    assert list(folder.iterdir()) == []
    for content in ("one", "two"):
        with new_folder(folder / "run") as run:
            (run / content).write_text(content)
    assert [path.name for path in (folder / "run").iterdir()] == ["two"]
    assert [path.name for path in folder.iterdir()] == ["run"]


def test_after_a_kill_between_the_two_renames_the_old_folder_is_restored(folder, monkeypatch):
    with new_folder(folder / "run") as run:
        (run / "old").touch()

    def killed(self, target):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_folder(folder / "run") as run:
        (run / "new").touch()
        rename = Path.rename
        monkeypatch.setattr(
            Path, "rename", lambda self, to: rename(self, to) if to.name.endswith(".replaced") else killed(self, to)
        )
    monkeypatch.undo()
    assert not (folder / "run").exists()
    finish_renames(folder)
    assert [path.name for path in folder.rglob("*")] == ["run", "old"]
    finish_renames(folder)
    assert [path.name for path in folder.rglob("*")] == ["run", "old"]


def test_a_locked_folder_is_refused_to_others_until_its_process_is_killed(folder):
    code = (
        "import pathlib, sys\nfrom charrnn_cli.files import locked\n"
        "with locked(pathlib.Path('.')): print('locked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    with pytest.raises(RunError, match="another charrnn process is using"), files.locked(Path()):
        pass
    other.kill()
    other.communicate()
    with files.locked(Path()):
        pass


LEAVE = """
import os, pathlib, signal, sys
from charrnn_cli.files import temporary_beside
with temporary_beside(pathlib.Path("run")) as folder, temporary_beside(pathlib.Path("file")) as file:
    folder.mkdir()
    file.touch()
    replaced = folder.with_suffix(".replaced")
    replaced.mkdir()
    print(folder, file, replaced, flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_killed_process_left_is_removed_or_restored_and_what_a_running_one_uses_is_kept(folder):
    (folder / "mine.tmp").touch()
    (folder / ".mine.tmp").touch()
    (folder / ".mine.today.tmp").touch()
    before = names(folder)
    other = subprocess.Popen([sys.executable, "-c", LEAVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    used = set(other.stdout.readline().decode().split())
    finish_renames(folder)
    remove_leftovers(folder)
    assert names(folder) >= before | used
    other.kill()
    other.communicate()
    finish_renames(folder)
    remove_leftovers(folder)
    assert names(folder) == {*before, "run"}


def test_leftovers_of_release_0_1_count_as_dead_even_if_their_process_id_is_in_use(folder):
    (folder / f".run.{os.getppid()}.replaced").mkdir()
    (folder / f".file.{os.getppid()}.tmp").touch()
    finish_renames(folder)
    remove_leftovers(folder)
    assert names(folder) == {"run"}


def test_writing_a_file_removes_what_killed_processes_left_beside_it(folder):
    (folder / ".a.4711.tmp").touch()
    for name in (".a.00c0ffee", ".b.00c0ffee"):
        (folder / f"{name}.tmp").touch()
        (folder / f"{name}.lock").write_bytes(b"charrnn")
    not_ours = {".b.4711.tmp", ".b.0badcafe.tmp", ".b.0badcafe.lock"}
    for name in not_ours:
        (folder / name).touch()
    write_bytes(folder / "a", b"new")
    assert names(folder) == {"a", *not_ours}


def test_an_empty_lock_file_that_guards_nothing_is_removed(folder):
    (folder / ".a.00c0ffee.lock").touch()
    remove_leftovers(folder)
    assert names(folder) == set()


def test_a_temporary_name_is_locked_for_its_block_only(folder):
    with temporary_beside(folder / "a") as temporary:
        temporary.touch()
        remove_leftovers(folder)
        assert temporary.exists()
        assert len(names(folder)) == 2
    assert names(folder) == set()


def test_a_folder_whose_replacement_fails_stays(folder, monkeypatch):
    (folder / "run").mkdir()
    (folder / "run" / "old").touch()
    rename = Path.rename

    def full(path, target):
        if path.suffix == ".tmp":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(DiskError, match="No space left"), new_folder(folder / "run"):
        pass
    assert [path.name for path in folder.rglob("*")] == ["run", "old"]


def test_a_link_to_a_folder_is_replaced_without_leftovers(folder):
    (folder / "elsewhere").mkdir()
    (folder / "run").symlink_to("elsewhere")
    with new_folder(folder / "run"):
        pass
    assert names(folder) == {"run", "elsewhere"}
    assert not (folder / "run").is_symlink()


def refuse(monkeypatch, name: str, *methods: str) -> None:
    """Refuses methods of paths that contain `name`, as permissions do to everyone but root."""

    def refused(method):
        original = getattr(Path, method)

        def call(path, *arguments, **named):
            if name in path.parts:
                raise PermissionError(13, "Permission denied", str(path))
            return original(path, *arguments, **named)

        return call

    for method in methods:
        monkeypatch.setattr(Path, method, refused(method))


@pytest.mark.parametrize(
    ("read", "method"),
    [(file_exists, "is_file"), (folder_exists, "is_dir"), (file_size, "stat"), (read_json, "exists")],
)
def test_looking_into_an_unreadable_folder_is_a_disk_error(folder, monkeypatch, read, method):
    refuse(monkeypatch, "locked", method)
    with pytest.raises(DiskError, match=r"cannot read .*locked.*: Permission denied"):
        read(folder / "locked" / "a")


def test_leftovers_that_cannot_be_seen_or_removed_are_disk_errors(folder, monkeypatch):
    (folder / ".a.0.tmp").touch()
    with monkeypatch.context() as patch:
        refuse(patch, ".a.0.tmp", "unlink")
        with pytest.raises(DiskError, match=r"cannot remove .*\.a\.0\.tmp"):
            remove_leftovers(folder)
    for clean_up in (remove_leftovers, finish_renames):
        with monkeypatch.context() as patch, pytest.raises(DiskError, match="cannot read"):
            refuse(patch, folder.name, "iterdir")
            clean_up(folder)


def test_a_rename_that_cannot_be_finished_is_a_disk_error(folder, monkeypatch):
    (folder / ".a.0.replaced").mkdir()
    refuse(monkeypatch, ".a.0.replaced", "rename")
    with pytest.raises(DiskError, match="cannot write"):
        finish_renames(folder)


def test_a_file_system_without_locks_is_a_disk_error(folder, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(files, "try_lock", unsupported)
    with pytest.raises(DiskError, match="Operation not supported"), files.locked(folder):
        pass


def test_a_missing_folder_cannot_be_locked_or_removed(folder):
    with pytest.raises(DiskError, match="cannot read"), files.locked(folder / "missing"):
        pass
    with pytest.raises(DiskError, match="cannot remove"):
        files.remove_folder(folder / "missing")
