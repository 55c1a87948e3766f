import math
import re
from xml.etree import ElementTree

import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.runs.curves import Curve
from charrnn_cli.terminal.charts import save_picture, terminal_chart

STEPS = tuple(range(10, 5001, 10))
FALL = [
    Curve("small", "train", STEPS, tuple(1.5 + 3 * math.exp(-step / 300) for step in STEPS)),
    Curve("small", "valid", STEPS[::50], tuple(1.7 + 3 * math.exp(-step / 300) for step in STEPS[::50])),
]


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("width", [40, 80, 132])
def test_a_chart_fits_its_terminal(width):
    chart = plain(terminal_chart(FALL, "steps", "loss", width, 24)).splitlines()
    assert len(chart) <= 24
    assert max(map(len, chart)) <= width
    assert "●" in "".join(chart[2:])
    assert "small valid" in chart[1]


def test_a_chart_of_one_point():
    assert "●" in terminal_chart([Curve("a", "valid", (5.0,), (2.0,))], "steps", "loss", 60, 20)


@pytest.mark.parametrize(("over", "label"), [("time", "hours of training"), ("epochs", "epochs"), ("tokens", "tokens")])
def test_the_axis_says_what_it_is(over, label):
    line = Curve("a", "train", (3600.0, 9000.0), (2.0, 1.0))
    assert label in plain(terminal_chart([line], over, "loss", 80, 20))


@pytest.mark.parametrize(("unit", "number"), [("loss", "0.6931"), ("bits", "best 1"), ("perplexity", "best 2")])
def test_units(unit, number):
    line = Curve("a", "valid", (1.0, 2.0), (2.0, math.log(2)))
    assert number in plain(terminal_chart([line], "steps", unit, 80, 20))


def test_the_steep_beginning_does_not_flatten_the_rest():
    steep = Curve("a", "train", tuple(range(100)), (90.0, *(2.0 - k / 100 for k in range(99))))
    top = float(re.search(r"(\d+\.\d+)┤", plain(terminal_chart([steep], "steps", "loss", 80, 20)))[1])
    assert top < 3


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    save_picture(FALL, "steps", "loss", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    save_picture(FALL, "time", "bits", tmp_path / "a.svg")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_picture_of_no_known_kind(tmp_path):
    with pytest.raises(UsageError, match=r"\.png"):
        save_picture(FALL, "steps", "loss", tmp_path / "README.md")
