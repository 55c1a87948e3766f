import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.terminal.console import aligned
from charrnn_cli.terminal.tables import facts_table, fitted, output_width, side_by_side, table_width

ROWS = [("name", "level", "loss", "where"), ("anna", "char", "1.1817", "runs/anna"), ("play", "word", "4.0", "bundled")]
IMPORTANCE = ("name", "loss", "where", "level")
WORDS = st.text("abc", min_size=1, max_size=9)


def test_without_a_width_a_table_is_whole():
    assert fitted(ROWS, IMPORTANCE, None) == aligned(ROWS)
    assert fitted(ROWS, IMPORTANCE, 80) == aligned(ROWS)


def test_the_least_important_columns_are_left_out_and_named():
    table, note = fitted(ROWS, IMPORTANCE, 25).split("\nNot shown: ")
    assert [line.split() for line in table.splitlines()] == [[row[0], row[2], row[3]] for row in ROWS]
    assert note.startswith("level. A")


def test_the_most_important_column_stays_in_any_terminal():
    assert fitted(ROWS, IMPORTANCE, 1).splitlines()[:3] == ["name", "anna", "play"]


@given(st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(20, 60))
def test_a_table_fits_and_has_only_whole_cells(rows, width):
    table = fitted([*ROWS[:1], *rows], IMPORTANCE, width).split("\nNot shown")[0]
    assert max(map(len, table.splitlines())) <= width
    assert {word for line in table.splitlines() for word in line.split()} <= {
        *ROWS[0],
        *(c for row in rows for c in row),
    }


def test_long_values_continue_between_two_words():
    lines = facts_table([("text", "one.txt, two.txt, three.txt"), ("level", "char")], 26).splitlines()
    assert lines == ["text   one.txt, two.txt,", "       three.txt", "level  char"]


def test_values_of_many_runs_continue_below():
    rows = [("", "one", "two", "three"), ("hidden", "512", "1,024", "2,048"), ("device", "CPU, 2 threads", "GPU", "")]
    first, second = side_by_side(rows, 30).split("\n\n")
    assert first.splitlines() == [
        "        one             two",
        "hidden  512             1,024",
        "device  CPU, 2 threads  GPU",
    ]
    assert [line.split() for line in second.splitlines()] == [["three"], ["hidden", "2,048"], ["device"]]
    assert side_by_side(rows, None) == side_by_side(rows, 200) == aligned(rows)


@given(st.lists(st.lists(WORDS, min_size=4, max_size=4), min_size=1, max_size=5), st.integers(20, 60))
def test_tables_below_each_other_fit_and_lose_no_word(rows, width):
    tables = side_by_side(rows, width).split("\n\n")
    assert all(table_width([[line] for line in table.splitlines()]) <= width for table in tables)
    assert sorted({word for table in tables for word in table.split()}) == sorted(
        {word for row in rows for word in row}
    )


def test_only_a_terminal_has_a_width(monkeypatch):
    assert output_width() is None
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    assert output_width() == 60


@pytest.mark.parametrize("wide", ["日本語", "a b"])
def test_a_wide_character_takes_two_columns(wide):
    assert table_width([(wide,)]) == (6 if wide == "日本語" else 3)
