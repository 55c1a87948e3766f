import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from charrnn_cli.analysis.addresses import CellAddress
from charrnn_cli.analysis.cell_view import CellView
from charrnn_cli.terminal.heat_map import plain_map, print_colored, rows, tint_color


def view(text: str, values: list[float] | None = None) -> CellView:
    numbers = np.array(values if values is not None else [0.0] * len(text), np.float32)
    return CellView(CellAddress("c", 0, 4), "inside quotes", 0, list(text), numbers, 2.0)


@given(st.text(alphabet="ab \n\u4f60\x1b"), st.integers(20, 40))
def test_rows_fit_and_lose_nothing(text: str, width: int) -> None:
    shown = list(rows(view(text), width))
    assert all(sum(cell_len(one.shown) for one in row) <= width for row in shown)
    joined = "".join(one.shown for row in shown for one in row)
    assert joined == text.replace("\n", " ").replace("\x1b", "\\x1b")


def test_a_row_ends_between_words() -> None:
    first, second = rows(view("aaaa bbbb cccc dddd eeee"), 20)
    assert "".join(one.shown for one in second) == "eeee" and len(first) == 20


def test_without_color_a_mark_stands_below_each_character() -> None:
    text = plain_map(view('"ab" c\nd', [-2, -1, 0, 1, 2, 2, 0, -2]), 80)
    assert text.splitlines()[0] == "c:1:5: inside quotes"
    assert text.endswith('\n"ab" c\n=- +##\nd\n=\n')


def test_in_color_the_text_is_unchanged_and_has_a_legend() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor", width=40)
    print_colored(view("far", [2, 0, -2]), console, 40)
    assert "48;2;230;130;20mf" in file.getvalue() and "-2" in file.getvalue() and "+2" in file.getvalue()


def test_zero_is_white_and_the_ends_differ() -> None:
    assert tint_color(0.0) == (250, 250, 250) and tint_color(1.0) != tint_color(-1.0)
