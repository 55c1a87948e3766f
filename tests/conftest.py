from pathlib import Path

import pytest
import torch
from support import TEXT, prepare_text

from charrnn_cli.runs import Run

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fox(folder: Path) -> Run:
    """A small prepared run."""
    return prepare_text(folder, TEXT)
