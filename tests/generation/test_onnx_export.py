from pathlib import Path

import pytest

from charrnn_cli.errors import DiskError, RunError, UsageError
from charrnn_cli.generation import onnx_export as module
from charrnn_cli.generation import onnx_files
from charrnn_cli.generation.onnx_export import export_onnx


@pytest.fixture(autouse=True)
def contents(monkeypatch):
    """What is in a file does not matter here."""
    monkeypatch.setattr(onnx_files, "onnx_files", lambda model: model)


OLD, NEW = (b"step", b"loop"), (b"new step", b"new loop")


def test_both_files_are_written_and_replaced_only_with_force(folder):
    paths = export_onnx(OLD, folder / "new" / "a.b.onnx")
    assert [path.name for path in paths] == ["a.b.onnx", "a.b-loop.onnx"]
    for only in paths:
        export_onnx(OLD, paths[0], force=True)
        for path in paths:
            if path != only:
                path.unlink()
        with pytest.raises(RunError, match=f"{only.name} already exists. To replace it, pass `force=True`"):
            export_onnx(NEW, paths[0])
        assert list(paths[0].parent.iterdir()) == [only]
    export_onnx(OLD, paths[0], force=True)
    assert tuple(path.read_bytes() for path in paths) == OLD
    export_onnx(NEW, paths[0], force=True)
    assert tuple(path.read_bytes() for path in paths) == NEW
    assert len(list((folder / "new").iterdir())) == 2


@pytest.mark.parametrize("name", [".", "..", "there", ""])
def test_a_folder_is_not_a_file(folder, name):
    (folder / "there").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        export_onnx(NEW, Path(name), force=True)
    (folder / "other-loop").mkdir()
    with pytest.raises(UsageError, match="other-loop is a folder"):
        export_onnx(NEW, folder / "other", force=True)


def test_a_folder_that_cannot_be_made_is_named(folder):
    (folder / "file").touch()
    with pytest.raises(DiskError, match=r"file"):
        export_onnx(NEW, folder / "file" / "inside" / "a.onnx")


def test_without_onnx_the_message_says_what_to_install(folder, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install '\.\[fast\]'"):
        export_onnx(NEW, folder / "a.onnx")
    assert list(folder.iterdir()) == []
