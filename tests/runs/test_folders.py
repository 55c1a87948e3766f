import os

import pytest

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.runs import folders
from charrnn_cli.runs.folders import RUNS, Run, bundled_models, find, named, to_sample, to_train


def make(name: str, trained: float | None = None, prepared: float | None = None, folder=RUNS) -> Run:
    run = Run(folder / name)
    run.corpus.mkdir(parents=True)
    run.vocabulary.touch()
    for path, time in ((run.weights, trained), (run.corpus / "corpus.json", prepared)):
        if time is not None:
            path.touch()
            os.utime(path, (time, time))
    return run


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".hidden", "-x", "a\nb", "a\\b", "a\0b"])
def test_what_is_no_name(name):
    with pytest.raises(UsageError):
        named(name)


@pytest.mark.parametrize("name", ["anna", "Война и мир", "v1.2", "my novel"])
def test_what_is_a_name(name):
    assert named(name).folder == RUNS / name


def test_a_run_hides_a_bundled_model_of_its_name(folder, monkeypatch):
    monkeypatch.setattr(folders, "bundled_models", lambda: [Run(folder / "models" / "anna", bundled=True)])
    assert find("anna").bundled
    make("anna")
    assert find("anna") == Run(RUNS / "anna")


def test_a_model_is_found_by_its_folder(folder):
    run = make("kept", folder=folder / "elsewhere")
    assert find(str(run.folder)) == run


def test_unknown_names_say_what_is_known():
    make("novel")
    with pytest.raises(RunError, match=r"'nowel'.*novel"):
        find("nowel")
    with pytest.raises(RunError, match=r"charrnn prepare FILE\.txt --name nowel"):
        to_train("nowel")


def test_the_run_prepared_last_is_trained_and_the_one_trained_last_writes():
    with pytest.raises(RunError, match="nothing is prepared"):
        to_train(None)
    make("a", trained=30, prepared=10)
    make("b", trained=20, prepared=40)
    make("c", prepared=5)
    assert to_train(None).name == "b"
    assert to_sample(None).name == "a"
    with pytest.raises(RunError, match="charrnn train c"):
        to_sample("c")


def test_without_a_run_the_bundled_model_writes():
    assert to_sample(None).bundled
    assert "anna" in [model.name for model in bundled_models()]


def test_unfinished_folders_are_no_runs():
    make(".novel.123.tmp", trained=1, prepared=1)
    assert runs.runs() == []
