import gc
import zipfile
from pathlib import Path

import pytest

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import DiskError, TextError
from charrnn_cli.runs.preparation import prepare_steps
from charrnn_cli.text.archives import OpenArchive
from charrnn_cli.text.formats import ZipArchive
from charrnn_cli.text.sources import find_sources


@pytest.fixture
def archive(folder) -> Path:
    """A zip with 40 texts."""
    with zipfile.ZipFile("many.zip", "w") as file:
        for number in range(40):
            file.writestr(f"{number:02}.txt", f"text number {number}\n" * 20)
    return Path("many.zip")


def test_an_archive_is_opened_once_however_many_texts_it_has(archive, monkeypatch):
    opened, listed = [], []
    start, sizes = ZipArchive.__init__, ZipArchive.sizes
    monkeypatch.setattr(ZipArchive, "__init__", lambda self, file: opened.append(file) or start(self, file))
    monkeypatch.setattr(ZipArchive, "sizes", lambda self: listed.append(self) or sizes(self))
    *_, prepared = prepare_steps([str(archive)], PrepareSettings())
    assert len(prepared.corpus.files) == 40
    assert (len(opened), len(listed)) == (1, 1)
    del prepared
    gc.collect()
    assert opened[0].closed


def test_two_texts_of_an_archive_can_be_read_at_the_same_time(archive):
    one, two, *_ = find_sources([str(archive)], Path())
    pairs = [(first, second) for (first, _), (second, _) in zip(one.chunks(), two.chunks(), strict=True)]
    assert pairs == [(b"text number 0\n" * 20, b"text number 1\n" * 20)]


def test_a_damaged_or_missing_archive_is_named(folder):
    (folder / "a.zip").write_bytes(b"PK")
    with pytest.raises(TextError, match=r"a\.zip cannot be unpacked"):
        OpenArchive(Path("a.zip")).sizes()
    with pytest.raises(DiskError, match=r"cannot read missing\.zip"):
        OpenArchive(Path("missing.zip")).open("a")
