import math

import pytest

from charrnn_cli.runs.curves import Curve
from charrnn_cli.terminal.axes import XAxis, in_unit, legend_text, scaled, x_axis, y_limits


@pytest.mark.parametrize(
    ("over", "end", "axis"),
    [
        ("time", 100, XAxis("seconds of training")),
        ("time", 120, XAxis("minutes of training", 60)),
        ("time", 7200, XAxis("hours of training", 3600)),
        ("tokens", 1e6, XAxis("tokens")),
        ("tokens", 2e6, XAxis("million tokens", 1e6)),
        ("steps", 1e9, XAxis("steps")),
        ("epochs", 3, XAxis("epochs")),
    ],
)
def test_the_x_axis_gives_short_numbers(over, end, axis):
    assert x_axis(over, end) == axis


@pytest.mark.parametrize(("unit", "value"), [("loss", math.log(8)), ("bits", 3), ("perplexity", 8)])
def test_a_loss_in_every_unit(unit, value):
    assert in_unit(math.log(8), unit) == pytest.approx(value)


def test_a_huge_loss_has_a_finite_perplexity():
    assert math.isfinite(1e6 * in_unit(1e6, "perplexity"))


def test_scaled_curves_are_in_the_units_of_the_axes():
    curve = Curve("a", "train", (60.0, 120.0), (math.log(2), math.log(4)))
    (line,) = scaled([curve], XAxis("minutes of training", 60), "bits")
    assert line.x == (1, 2)
    assert line.y == pytest.approx((1, 2))


def test_limits_ignore_the_start_and_leave_a_margin():
    falling = Curve("a", "train", tuple(range(101)), (90.0, *(2.0 - k / 100 for k in range(100))))
    low, high = y_limits([falling])
    assert 0.9 < low < 1.01
    assert 1.95 < high < 2.1
    assert y_limits([Curve("a", "valid", (1.0,), (3.0,))]) == (2.5, 3.5)


def test_the_legend_has_the_last_loss_and_the_best_validation_loss():
    assert legend_text(Curve("a", "train", (1.0, 2.0), (1.5, 2.5))) == "a train 2.5"
    assert legend_text(Curve("a", "valid", (1.0, 2.0), (1.5, 2.5))) == "a valid 2.5, best 1.5"


@pytest.mark.parametrize("value", [0.0, 2.0, -3.0, in_unit(800, "perplexity")])
def test_a_flat_curve_has_some_height(value):
    low, high = y_limits([Curve("a", "valid", (1.0, 2.0), (value, value))])
    assert low < value < high
