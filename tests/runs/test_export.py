import dataclasses

import numpy as np
import pytest

from charrnn_cli.config import ModelSettings, PrepareSettings, TrainingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.runs.export import export_model
from charrnn_cli.runs.folders import Run
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
    assert config == dataclasses.replace(CONFIG, weights_sha256=load_checksum(path), text=PrepareSettings())


def test_a_model_is_replaced_only_with_force_and_other_files_are_kept(folder, trained):
    export_model(trained, folder / "kept")
    (folder / "kept" / "README.md").write_text("mine")
    with pytest.raises(RunError, match=r"already has a model\. To replace it, pass `force=True`"):
        export_model(trained, folder / "kept")
    export_model(trained, folder / "kept", float16=False, force=True)
    assert (folder / "kept" / "README.md").read_text() == "mine"
    assert load_model(Run(folder / "kept")).weights["a"].dtype == np.float32


def test_a_run_is_never_overwritten(trained):
    with pytest.raises(RunError, match="is a run"):
        export_model(trained, trained.folder, force=True)


def test_a_failed_export_leaves_nothing(folder, trained, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Config, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        export_model(trained, folder / "kept")
    assert sorted(path.name for path in folder.iterdir()) == ["fox.txt", "runs"]
