import io

from rich.console import Console

from charrnn_cli.terminal import serving
from charrnn_cli.terminal.serving import ServingLine
from charrnn_cli.web.server import Load


def test_on_a_terminal_there_is_one_line_about_the_load():
    screen = io.StringIO()
    with ServingLine(Console(file=screen, force_terminal=True, width=80, highlight=False)) as line:
        line.show(Load(streams=1000, waiting=7, characters_per_second=20_123.4, characters=5))
    assert "1,000 streams  20,123 characters/s  7 waiting" in screen.getvalue()


def test_without_a_terminal_there_is_a_line_now_and_then_while_it_writes(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(serving.time, "monotonic", lambda: clock[0])
    screen = io.StringIO()
    with ServingLine(Console(file=screen)) as line:
        for clock[0], characters in ((1.0, 100), (11.0, 1100), (22.0, 1100), (33.0, 1100)):
            line.show(Load(0, 0, 0.0, characters))
    assert screen.getvalue() == "0 streams  100 characters/s\n"
