from pathlib import Path

import pytest
import torch
from hypothesis import settings
from support import TEXT, prepare_text

from charrnn_cli.runs.folders import Run

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
