import math
import re

import pytest

from charrnn_cli.runs.curves import Curve
from charrnn_cli.terminal import charts
from charrnn_cli.terminal.charts import CHART_ROWS, chart_size, terminal_chart

STEPS = tuple(range(10, 5001, 10))
FALLING = [
    Curve("small", "train", STEPS, tuple(1.5 + 3 * math.exp(-step / 300) for step in STEPS)),
    Curve("small", "valid", STEPS[::50], tuple(1.7 + 3 * math.exp(-step / 300) for step in STEPS[::50])),
]


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("width", [40, 80, 132])
def test_a_chart_fits_its_terminal(width):
    chart = plain(terminal_chart(FALLING, "steps", "loss", width, 24)).splitlines()
    assert len(chart) <= 24
    assert max(map(len, chart)) <= width
    assert "●" in "".join(chart[2:])
    assert "small valid" in chart[1]


@pytest.mark.parametrize(("rows", "height"), [(10, 8), (100, CHART_ROWS)])
def test_a_chart_leaves_two_rows_for_the_prompt(monkeypatch, rows, height):
    monkeypatch.setattr(charts.shutil, "get_terminal_size", lambda: (90, rows))
    assert chart_size() == (90, height)


def test_a_chart_of_one_point():
    assert "●" in terminal_chart([Curve("a", "valid", (5.0,), (2.0,))], "steps", "loss", 60, 20)


def test_every_run_has_a_color_and_a_mark_of_its_own():
    runs = [Curve(f"run {k}", "valid", (1.0, 2.0), (2.0, 1.0)) for k in range(3)]
    keys = [line.split(" run ")[0] for line in terminal_chart(runs, "steps", "loss", 80, 20).splitlines()[:3]]
    assert len(set(keys)) == 3
    assert [plain(key).strip() for key in keys] == ["●", "■", "▲"]


@pytest.mark.parametrize(("over", "label"), [("time", "hours of training"), ("epochs", "epochs"), ("tokens", "tokens")])
def test_the_x_axis_has_a_label(over, label):
    line = Curve("a", "train", (3600.0, 9000.0), (2.0, 1.0))
    assert label in plain(terminal_chart([line], over, "loss", 80, 20))


@pytest.mark.parametrize(("unit", "number"), [("loss", "0.6931"), ("bits", "best 1"), ("perplexity", "best 2")])
def test_losses_are_shown_in_the_chosen_unit(unit, number):
    line = Curve("a", "valid", (1.0, 2.0), (2.0, math.log(2)))
    assert number in plain(terminal_chart([line], "steps", unit, 80, 20))


def test_the_steep_start_does_not_flatten_the_rest():
    steep = Curve("a", "train", tuple(range(100)), (90.0, *(2.0 - k / 100 for k in range(99))))
    top = float(re.search(r"(\d+\.\d+)┤", plain(terminal_chart([steep], "steps", "loss", 80, 20)))[1])
    assert top < 3
