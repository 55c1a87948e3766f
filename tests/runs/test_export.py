import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import TEXT, prepare_text

from charrnn_cli.config import ModelSettings, PrepareSettings, TrainingSettings
from charrnn_cli.errors import DiskError, RunError
from charrnn_cli.runs.describe import describe
from charrnn_cli.runs.export import export_model
from charrnn_cli.runs.folders import Run, find_run
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.runs.weights import Summary, load_checksum, save_weights

SUMMARY = Summary(step=40, epoch=2.0, seconds=9.0, train_loss=1.5, valid_loss=1.75, when="2020-01-01T00:00:00+00:00")
CONFIG = Config(ModelSettings(), TrainingSettings(steps=40), "auto", "CPU", "a" * 64, {"charrnn": "1"})
WEIGHTS = {"a": np.linspace(0, 1, 5, dtype=np.float32)}


@pytest.fixture
def trained(fox) -> Run:
    """A prepared run with weights."""
    CONFIG.save(fox.config)
    save_weights(fox.weights, WEIGHTS, SUMMARY)
    return fox


@pytest.mark.parametrize("float16", [False, True])
def test_an_exported_model_equals_that_of_the_run(folder, trained, float16):
    path = export_model(trained, folder / "models" / "fox", float16)
    exported, original = load_model(Run(folder / "models" / "fox")), load_model(trained)
    assert path == folder / "models" / "fox" / "model.safetensors"
    assert (exported.settings, exported.vocabulary, exported.summary, exported.text) == (
        original.settings,
        original.vocabulary,
        original.summary,
        original.text,
    )
    assert exported.weights["a"].dtype == (np.float16 if float16 else np.float32)
    assert exported.weights["a"] == pytest.approx(WEIGHTS["a"], abs=5e-4)


def test_the_config_of_an_exported_model_has_its_checksum_and_how_its_text_was_read(folder, trained):
    path = export_model(trained, folder / "kept")
    config = Config.load(folder / "kept" / "config.json")
    characters_per_token = describe(trained).corpus.characters_per_token
    assert characters_per_token == pytest.approx(1, abs=0.05)
    assert config == dataclasses.replace(
        CONFIG,
        weights_sha256=load_checksum(path),
        text=PrepareSettings(),
        characters_per_token=characters_per_token,
    )


def test_an_exported_model_has_the_bits_per_character_of_its_run(folder):
    words = prepare_text(folder, TEXT, PrepareSettings(level="word"), name="words")
    CONFIG.save(words.config)
    save_weights(words.weights, WEIGHTS, SUMMARY)
    export_model(words, folder / "kept")
    export_model(Run(folder / "kept"), folder / "again")
    bits = [describe(run).valid_bits_per_character for run in (words, Run(folder / "kept"), Run(folder / "again"))]
    assert bits == [bits[0]] * 3
    assert bits[0] < 1.75


def test_a_damaged_corpus_does_not_stop_an_export(folder, trained):
    (trained.corpus / "corpus.json").write_text("{")
    export_model(trained, folder / "kept")
    assert Config.load(folder / "kept" / "config.json").characters_per_token is None


def test_a_model_is_replaced_only_with_force_and_other_files_are_kept(folder, trained):
    export_model(trained, folder / "kept")
    (folder / "kept" / "README.md").write_text("mine")
    with pytest.raises(RunError, match=r"already has a model\. To replace it, pass `force=True`"):
        export_model(trained, folder / "kept")
    export_model(trained, folder / "kept", float16=False, force=True)
    assert (folder / "kept" / "README.md").read_text() == "mine"
    assert load_model(Run(folder / "kept")).weights["a"].dtype == np.float32


@pytest.mark.parametrize("force", [True, False])
def test_a_run_is_never_overwritten(trained, force):
    with pytest.raises(RunError, match="is a run"):
        export_model(trained, trained.folder, force=force)


def test_a_failed_export_leaves_nothing(folder, trained, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Config, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        export_model(trained, folder / "kept")
    assert sorted(path.name for path in folder.iterdir()) == ["fox.txt", "runs"]


def test_links_in_the_folder_of_a_model_stay_links(folder, trained):
    kept = folder / "kept"
    export_model(trained, kept)
    (folder / "data").mkdir()
    targets = {"data": "../data", "nowhere": "nothing", "self": ".", "loop": "loop", "notes": "config.json"}
    for name, target in targets.items():
        (kept / name).symlink_to(target)
    export_model(trained, kept, force=True)
    assert {path.name: str(path.readlink()) for path in kept.iterdir() if path.is_symlink()} == targets


def test_a_link_to_the_folder_of_a_model_stays_and_its_target_is_replaced(folder, trained):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "README.md").write_text("mine")
    (folder / "kept").symlink_to("elsewhere")
    assert export_model(trained, folder / "kept") == folder / "kept" / "model.safetensors"
    assert (folder / "kept").is_symlink()
    assert sorted(path.name for path in (folder / "elsewhere").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "vocabulary.json",
    ]


@pytest.mark.parametrize("name", ["pipe", "inside/pipe"])
def test_a_named_pipe_beside_a_model_is_a_clear_error(folder, trained, name):
    export_model(trained, folder / "kept")
    (folder / "kept" / "inside").mkdir()
    os.mkfifo(folder / "kept" / name)
    with pytest.raises(DiskError, match=rf"cannot copy .*kept/{name}: .*named pipe.*kept is unchanged"):
        export_model(trained, folder / "kept", force=True)
    assert load_model(Run(folder / "kept")).weights["a"].dtype == np.float16
    assert [path.name for path in folder.glob(".kept*")] == []


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "vocabulary.json"])
def test_a_named_pipe_in_place_of_a_file_of_the_model_is_replaced(folder, trained, file):
    export_model(trained, folder / "kept")
    (folder / "kept" / file).unlink()
    os.mkfifo(folder / "kept" / file)
    export_model(trained, folder / "kept", force=True)
    assert load_model(Run(folder / "kept"))


KILL_AT = """
import os, pathlib, signal, sys
from charrnn_cli.runs.describe import describe
from charrnn_cli.runs.export import export_model
from charrnn_cli.runs.folders import Run
rename, renames = pathlib.Path.rename, 0

def counted(path, target):
    global renames
    renames += 1
    if renames == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

pathlib.Path.rename = counted
export_model(Run(pathlib.Path("runs/fox")), pathlib.Path("kept"), force=True)
"""


@pytest.mark.parametrize("renames", [1, 2])
@pytest.mark.parametrize("next_command", ["sample", "export"])
def test_after_a_kill_between_its_renames_an_export_is_undone_by_the_next_command(
    folder, trained, renames, next_command
):
    export_model(trained, folder / "kept")
    (folder / "kept" / "README.md").write_text("mine")
    done = subprocess.run([sys.executable, "-c", KILL_AT, str(renames)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (folder / "kept").exists() == (renames == 1)
    if next_command == "sample":
        assert find_run("kept") == Run(Path("kept"))
    else:
        export_model(trained, folder / "kept", force=True)
        assert [path.name for path in folder.glob(".kept*")] == []
    assert (folder / "kept" / "README.md").read_text() == "mine"
    assert load_model(Run(folder / "kept"))
