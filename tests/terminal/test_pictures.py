import sys
from xml.etree import ElementTree

import pytest

from charrnn_cli.errors import DiskError, UsageError
from charrnn_cli.runs.curves import Curve
from charrnn_cli.terminal.pictures import save_picture

CURVES = [
    Curve("small", "train", (1.0, 2.0, 3.0), (3.0, 2.0, 1.5)),
    Curve("small", "valid", (2.0, 3.0), (2.1, 1.6)),
]


def test_a_picture_has_the_format_of_its_ending(folder):
    pytest.importorskip("matplotlib")
    save_picture(CURVES, "steps", "loss", folder / "a.png")
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    save_picture(CURVES, "time", "bits", folder / "a.SVG")
    assert ElementTree.parse(folder / "a.SVG").getroot().tag.endswith("svg")
    assert len(list(folder.iterdir())) == 2


def test_other_endings_are_refused(folder):
    with pytest.raises(UsageError, match=r"README\.md must end in \.png, \.svg or \.pdf"):
        save_picture(CURVES, "steps", "loss", folder / "README.md")


def test_without_matplotlib_the_error_says_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match="pip install matplotlib"):
        save_picture(CURVES, "steps", "loss", folder / "a.png")


def test_a_missing_folder_is_a_disk_error(folder):
    pytest.importorskip("matplotlib")
    with pytest.raises(DiskError, match="cannot write"):
        save_picture(CURVES, "steps", "loss", folder / "missing" / "a.png")
