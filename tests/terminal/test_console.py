import io
import sys

import pytest

from charrnn_cli.terminal.console import aligned, new_console, say


def test_columns_are_as_wide_as_their_widest_cell():
    assert aligned([("a", "bb", "c"), ("long", "", "d")]) == "a     bb  c\nlong      d"


def test_wide_characters_take_two_columns():
    assert aligned([("日本", "x"), ("a", "y")]).splitlines() == ["日本  x", "a     y"]


def test_a_table_shows_control_characters_and_tabs_as_escapes():
    assert aligned([("\x1b[2J", "a\tb")]) == "\\x1b[2J  a\\tb"


def test_messages_go_to_stderr_without_control_characters(capsys):
    say(new_console(), "[bold]a\x1b[2J :smile: " + "x" * 200)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "[bold]a\\x1b[2J :smile: " + "x" * 200 + "\n"


@pytest.mark.parametrize("closed", [True, False])
def test_a_silent_console_and_a_closed_stderr_print_nothing(capsys, monkeypatch, closed):
    if closed:
        monkeypatch.setattr(sys, "stderr", None)
    console = new_console(silent=not closed)
    monkeypatch.undo()
    say(console, "hello")
    assert capsys.readouterr().err == ""


class Gone(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_the_work_continues_when_the_reader_of_stderr_is_gone(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Gone())
    console = new_console()
    say(console, "hello")
    assert console.quiet
