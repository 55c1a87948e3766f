import io

import pytest

from charrnn_cli.generation.generate import Piece, Sample
from charrnn_cli.terminal.samples import TextOutput
from charrnn_cli.wording import visible


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO, raw: bool = False, echo: bool = True) -> str:
    out = TextOutput(stream, "---", echo, raw, None, None)
    for k in range(2):
        out.add(Piece(k, "Far", prime=True))
        out.add(Piece(k, " \x1b[31m\t"))
        out.add(Sample(k, "length", 7, 0.0))
    out.end()
    return stream.getvalue()


def test_a_pipe_gets_the_text_as_it_is():
    assert written(io.StringIO()) == "Far \x1b[31m\t\n---\nFar \x1b[31m\t"
    assert written(io.StringIO(), echo=False) == " \x1b[31m\t\n---\n \x1b[31m\t"


def test_a_terminal_gets_what_cannot_steer_it_and_a_rule_between_texts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    assert written(Terminal()) == "Far \\x1b[31m\t\n" + "\u2500" * 12 + "\nFar \\x1b[31m\t\n"
    assert written(Terminal(), raw=True).count("\x1b") == 2


@pytest.mark.parametrize(
    ("text", "seen"), [("a\n\tb", "a\n\tb"), ("\x1b\x07\x9b", "\\x1b\\x07\\x9b"), ("\u202e", "\\u202e")]
)
def test_what_steers_a_terminal_is_written_out(text, seen):
    assert visible(text) == seen
