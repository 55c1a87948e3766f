import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from support import TEXT, prepare_text, train_small

from charrnn_cli.runs.folders import RUNS, Run

torch.set_num_threads(1)
settings.register_profile("untimed", deadline=None, max_examples=50)  # a busy machine does not fail a test
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def reference_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What auto chooses does not depend on the machine that runs the tests."""
    monkeypatch.setattr("charrnn_cli.network.speed.MOST_SECONDS", 0.0)


@pytest.fixture
def fox(folder: Path) -> Run:
    """A small prepared run."""
    return prepare_text(folder, TEXT)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `fox` after a moment of training, from which `trained` is copied."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("charrnn_cli.network.speed.MOST_SECONDS", 0.0)
        train_small(prepare_text(folder, TEXT))
    return folder


@pytest.fixture
def trained(folder: Path, trained_once: Path) -> Run:
    """`fox` after a moment of training."""
    shutil.copytree(trained_once, folder, dirs_exist_ok=True)
    return Run(RUNS / "fox")
