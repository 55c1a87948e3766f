import math
import sys

import pytest

from charrnn_cli.terminal.colors import SURPRISE_STYLES, color_console, colors_refused, legend, tinted


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_a_terminal_has_colors(terminal):
    assert color_console() is not None


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_can_refuse_colors(terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert color_console() is None


def test_a_pipe_has_no_colors(terminal, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert color_console() is None


def test_an_empty_no_color_does_not_refuse_colors(monkeypatch):
    for value, refused in (("", False), ("1", True)):
        monkeypatch.setenv("NO_COLOR", value)
        assert colors_refused() is refused


@pytest.mark.parametrize(
    ("probability", "style"),
    [
        (1.0, ""),
        (0.5, ""),
        (0.49, "green"),
        (0.1, "yellow"),
        (0.02, "dark_orange"),
        (1e-9, "bold red"),
        (0, "bold red"),
    ],
)
def test_unlikely_tokens_have_warm_colors(probability, style):
    text = tinted("a\tb", math.log(probability) if probability else -math.inf)
    assert (text.plain, str(text.style)) == ("a\tb", style)


def test_the_legend_names_every_limit_in_its_color():
    line = legend(1.234)
    assert line.plain == "1.23 nats per token; probability from 0.5 from 0.2 from 0.05 from 0.01 below"
    assert [span.style for span in line.spans] == [style for _, style in SURPRISE_STYLES if style]
