import io
import json
import sys

import pytest
from support import charrnn

from charrnn_cli.terminal.records import json_line, print_record


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


CONTROLS = "".join(map(chr, [*range(32), *range(0x7F, 0xA0)])) + "\u202e\u2066\u200f\ufeff\ue000\U000e0001\ud800"


def test_a_terminal_gets_no_character_that_is_not_printable():
    line = json_line({CONTROLS: [CONTROLS, 'é 日本 😀 "\\']}, Terminal())
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert "é 日本 😀" in line
    assert json.loads(line) == {CONTROLS: [CONTROLS, 'é 日本 😀 "\\']}


def test_a_pipe_gets_the_characters_themselves():
    assert json_line({"a": "\x9b\u202e\x1b"}, io.StringIO()) == '{"a": "\x9b\u202e\\u001b"}\n'


def test_a_record_is_printed_to_stdout(capsys, monkeypatch):
    print_record({"a": 1})
    assert capsys.readouterr().out == '{"a": 1}\n'
    monkeypatch.setattr("sys.stdout", Terminal())
    print_record("\u202e")
    assert sys.stdout.getvalue() == '"\\u202e"\n'


@pytest.mark.parametrize("arguments", [["info", "anna"], ["info", "anna", "--verify"], ["models"], ["presets"]])
def test_commands_print_valid_lines(arguments):
    for line in charrnn(*arguments, "--json").stdout.splitlines():
        assert json.loads(line)
