import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn_cli.errors import DiskError, RunError, UsageError
from charrnn_cli.runs import folders
from charrnn_cli.runs.folders import (
    RUNS,
    Run,
    all_runs,
    bundled_models,
    checkpoint_steps,
    find_run,
    model_named,
    run_named,
    run_names,
    run_to_sample,
    run_to_train,
)


def make(name: str, trained: float | None = None, prepared: float | None = None, root: Path = RUNS) -> Run:
    run = Run(root / name)
    run.corpus.mkdir(parents=True)
    run.vocabulary.touch()
    for path, time in ((run.weights, trained), (run.corpus / "corpus.json", prepared)):
        if time is not None:
            path.touch()
            os.utime(path, (time, time))
    return run


def refuse(monkeypatch, method: str, name: str) -> None:
    """Refuses a method of paths for paths that contain `name`, as permissions do to everyone but root."""
    original = getattr(Path, method)

    def refused(path, *arguments, **named):
        if name in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **named)

    monkeypatch.setattr(Path, method, refused)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".hidden", "-x", "a\nb", "a\\b", "a\0b"])
def test_invalid_names_are_refused(name):
    with pytest.raises(UsageError, match=r"not a valid name for a run.*`name=novel`"):
        run_named(name)


@pytest.mark.parametrize("name", ["anna", "Война и мир", "v1.2", "my novel"])
def test_valid_names_are_folders_in_runs(name):
    assert run_named(name).folder == RUNS / name


def test_a_run_is_made_of_a_path_or_a_text():
    assert Run("runs/fox") == run_named("fox")
    with pytest.raises(UsageError, match="`folder` must be a path, got 3"):
        Run(3)


def test_a_run_hides_a_bundled_model_of_its_name(folder, monkeypatch):
    monkeypatch.setattr(folders, "bundled_models", lambda: [Run(folder / "models" / "anna", bundled=True)])
    assert find_run("anna").bundled
    make("anna")
    assert find_run("anna") == Run(RUNS / "anna")


def test_a_model_is_found_by_its_folder(folder):
    run = make("kept", root=folder / "elsewhere")
    assert find_run(str(run.folder)) == run


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    make("novel")
    with pytest.raises(RunError, match=r"'nowel'.*novel"):
        find_run("nowel")
    with pytest.raises(RunError, match=r"Call `charrnn\.prepare\('FILE\.txt', name='nowel'\)`"):
        run_to_train("nowel")


def test_the_run_prepared_last_is_trained_and_the_run_trained_last_writes():
    with pytest.raises(RunError, match="nothing is prepared"):
        run_to_train(None)
    make("a", trained=30, prepared=10)
    make("b", trained=20, prepared=40)
    make("c", prepared=5)
    assert run_to_train(None).name == "b"
    assert run_to_sample(None).name == "a"
    with pytest.raises(RunError, match=r"charrnn\.train\('c'\)"):
        run_to_sample("c")


def test_a_growing_log_makes_a_run_the_one_trained_last():
    make("a", trained=30)
    older = make("b", trained=20)
    older.log.touch()
    os.utime(older.log, (40, 40))
    assert run_to_sample(None).name == "b"


def test_without_a_run_the_bundled_model_writes():
    assert run_to_sample(None).bundled
    assert "anna" in [model.name for model in bundled_models()]


def test_unfinished_folders_are_not_runs():
    make(".novel.123.tmp", trained=1, prepared=1)
    assert all_runs() == []


def test_another_root_has_other_runs(folder):
    root = folder / "elsewhere"
    run = make("novel", trained=1, prepared=1, root=root)
    make("poem", trained=2, prepared=2)
    assert all_runs(root) == [run]
    assert run_named("novel", root) == run
    assert find_run("novel", root) == run_to_sample(None, root) == run_to_train(None, root) == run
    with pytest.raises(RunError, match="poem"):
        find_run("poem", root)
    assert run_names(root).runs == ["novel"]


def test_names_are_listed_without_writing_anything(folder):
    names = run_names()
    assert (names.runs, names.trained) == ([], [])
    assert "anna" in names.bundled
    make("a", trained=1, prepared=1)
    make("b", prepared=1)
    (RUNS / ".c.1.replaced").mkdir()
    before = sorted(folder.rglob("*"))
    names = run_names()
    assert (names.runs, names.trained) == (["a", "b"], ["a"])
    assert sorted(folder.rglob("*")) == before


def test_checkpoint_steps_come_from_the_names_of_folders():
    run = make("a")
    assert checkpoint_steps(run) == []
    for name in ("step-00000020", "step-00000003", "step-123456789", ".step-00000004.7.tmp", "step-x", "notes"):
        (run.checkpoints / name).mkdir(parents=True)
    assert checkpoint_steps(run) == [3, 20, 123456789]
    assert run.checkpoint(20).name == "step-00000020"


def test_an_unreadable_folder_is_a_disk_error(monkeypatch):
    make("a", trained=1, prepared=1)
    for method in ("is_dir", "iterdir"):
        with monkeypatch.context() as patch:
            refuse(patch, method, "runs")
            with pytest.raises(DiskError, match=r"cannot read runs.*Permission denied"):
                all_runs()
            assert run_names().runs == []


def test_an_unreadable_run_is_listed(monkeypatch):
    make("a", trained=1, prepared=1)
    make("b", trained=1, prepared=1)
    for method in ("is_dir", "lstat"):
        with monkeypatch.context() as patch:
            refuse(patch, method, "a")
            assert [run.name for run in all_runs()] == ["a", "b"]
            assert find_run("b").name == "b"


@pytest.mark.parametrize("name", ["missing", "../elsewhere/m", "elsewhere/m", "."])
def test_a_name_from_a_file_is_never_a_path(folder, name):
    make("m", root=folder / "elsewhere")
    make(".", root=folder)
    with pytest.raises(RunError, match="no run or model is called"):
        model_named(name)
    run = make("novel")
    assert model_named("novel") == run
    assert model_named("anna").bundled


def test_an_unreadable_run_does_not_stop_another_from_training(monkeypatch):
    make("a", prepared=1)
    make("b", prepared=1)
    refuse(monkeypatch, "is_file", "a")
    assert run_to_train("b").name == "b"


def test_a_run_whose_time_cannot_be_read_is_a_disk_error(monkeypatch):
    make("a", trained=1)
    monkeypatch.setattr(folders, "file_exists", lambda path: path.name == "model.safetensors")
    refuse(monkeypatch, "stat", "model.safetensors")
    with pytest.raises(DiskError, match="Permission denied"):
        run_to_sample(None)


def test_folders_are_listed_without_numpy():
    code = (
        "import sys; from charrnn_cli.runs.folders import run_names, bundled_models, checkpoint_steps\n"
        "run_names(); checkpoint_steps(bundled_models()[0])\n"
        "print([name for name in ('numpy', 'safetensors', 'msgspec', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_similar_name_is_suggested(folder):
    make("novel", trained=1, prepared=1)
    with pytest.raises(RunError, match=r"called 'ann'. Did you mean anna\? Known here: novel, anna"):
        find_run("ann")
    with pytest.raises(RunError, match=r"called 'Novels'. Did you mean novel\? Known"):
        find_run("Novels")
    with pytest.raises(RunError, match=r"\(prepared: novel\). Did you mean novel\? Call `charrnn\.prepare"):
        run_to_train("nvel")
    with pytest.raises(RunError, match=r"called 'xyz'\. Known"):
        find_run("xyz")
