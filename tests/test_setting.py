import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.setting import (
    Checked,
    check_choice,
    check_path,
    check_paths,
    check_text,
    check_value,
    check_whole,
    defaults,
    setting,
    with_names,
)


@dataclass(frozen=True)
class Oven(Checked):
    heat: float = setting(180.0, "Heat.", "Oven", "(0, 300]")
    pies: int = setting(1, "Pies.", "Oven", "[1, inf)")
    timer: int | None = setting(None, "Timer.", "Oven", "[0, 60)")
    mode: Literal["fan", "grill", "both"] = setting("fan", "Mode.", "Oven")
    offset: float = setting(0.0, "Offset.", "Oven", "(-inf, inf)")
    light: bool = setting(False, "Light.", "Oven")
    name: str = setting("oven", "Name.", "Oven")
    fillings: tuple[str, ...] = setting((), "Fillings.", "Oven")

    def check(self) -> None:
        if self.mode == "grill" and self.pies > 1:
            raise UsageError("`mode=grill` takes one pie.")


@pytest.mark.parametrize(
    "good",
    [
        {"heat": 300},
        {"heat": 0.01},
        {"timer": 0},
        {"timer": None},
        {"mode": "both", "pies": 9},
        {"offset": -1e9},
        {"fillings": ["egg"]},
        {"fillings": ("egg",), "light": True},
    ],
)
def test_values_inside_the_range_are_taken(good):
    assert Oven(**good)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"heat": 0}, "`heat` must be in (0, 300], got 0."),
        ({"heat": 301}, "`heat` must be in (0, 300], got 301."),
        ({"heat": math.nan}, "`heat` must be in (0, 300], got nan."),
        ({"pies": 0}, "`pies` must be at least 1, got 0."),
        ({"pies": math.inf}, "`pies` must be finite and at least 1, got inf."),
        ({"timer": 60}, "`timer` must be in [0, 60), got 60."),
        ({"mode": "steam"}, "`mode` must be fan, grill or both, got 'steam'."),
        ({"offset": math.inf}, "`offset` must be a number, got inf."),
        ({"mode": "grill", "pies": 2}, "`mode=grill` takes one pie."),
        ({"pies": None}, "`pies` must be at least 1, got None."),
        ({"pies": 1.5}, "`pies` must be a whole number, got 1.5."),
        ({"pies": "2"}, "`pies` must be a whole number, got '2'."),
        ({"pies": True}, "`pies` must be a whole number, got True."),
        ({"timer": [5]}, "`timer` must be a whole number, got [5]."),
        ({"heat": "hot"}, "`heat` must be a number, got 'hot'."),
        ({"mode": 3}, "`mode` must be fan, grill or both, got 3."),
        ({"light": 1}, "`light` must be True or False, got 1."),
        ({"name": 1}, "`name` must be a text, got 1."),
        ({"fillings": "egg"}, "`fillings` must be a list of texts, got 'egg'."),
        ({"fillings": [1]}, "`fillings` must be a list of texts, got [1]."),
    ],
)
def test_values_outside_are_named(bad, message):
    with pytest.raises(UsageError) as error:
        Oven(**bad)
    assert str(error.value) == message


def test_a_choice_is_one_of_a_literal():
    check_choice("mode", "fan", Literal["fan", "grill"])
    with pytest.raises(UsageError, match="`mode` must be fan or grill, got None"):
        check_choice("mode", None, Literal["fan", "grill"])


def test_a_value_is_checked_by_itself():
    check_value(Oven, "pies", 2)
    check_value(Oven, "timer", None)
    with pytest.raises(UsageError, match="`heat` must be in"):
        check_value(Oven, "heat", 999)
    with pytest.raises(UsageError, match="`mode` must be fan"):
        check_value(Oven, "mode", "steam")


def test_names_in_a_text_can_be_written_another_way():
    text = "Pass `pies=2`, not `heat`, or `timer=`; 2 * `x y` stays."
    assert with_names(text, lambda name, value: f"<{name}|{value}>") == (
        "Pass <pies|2>, not <heat|None>, or <timer|>; 2 * `x y` stays."
    )


def test_defaults_are_those_of_the_fields():
    first = {"heat": 180.0, "pies": 1, "timer": None, "mode": "fan", "offset": 0.0}
    assert defaults(Oven) == {**first, "light": False, "name": "oven", "fillings": ()}


@pytest.mark.parametrize("value", [True, 1.5, "1", None])
def test_whole_numbers_are_of_no_other_type(value):
    check_whole("num", 1)
    with pytest.raises(UsageError, match=f"`num` must be a whole number, got {value!r}"):
        check_whole("num", value)


def test_paths_are_texts_or_paths():
    assert check_path("root", "a") == Path("a")
    assert check_paths("files", Path("a")) == check_paths("files", "a") == check_paths("files", ["a"]) == ["a"]
    for check, value in ((check_path, None), (check_paths, 3), (check_paths, [3]), (check_text, b"x")):
        with pytest.raises(UsageError, match=r"^`x` must be a "):
            check("x", value)
