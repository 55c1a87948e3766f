"""What `charrnn serve` shows about its work: one line, which changes."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from charrnn_cli.terminal.bars import PLAIN_SECONDS
from charrnn_cli.terminal.console import say
from charrnn_cli.wording import quantity

if TYPE_CHECKING:
    from charrnn_cli.web.server import Load


class ServingLine:
    """A live line about the work of a server. Without a terminal, a plain line at intervals while it writes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = Text(_in_words(0, 0, 0.0))
        self._live = Live(self._line, console=console, auto_refresh=False, transient=True)
        self._plain_line_at = time.monotonic()
        self._characters = 0  # in the last plain line

    def __enter__(self) -> "ServingLine":
        if self._console.is_terminal:
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, load: "Load") -> None:
        """Shows the load of the server."""
        if self._console.is_terminal:
            words = _in_words(load.streams, load.waiting, load.characters_per_second)
            if words != self._line.plain:
                self._line.plain = words
                self._live.refresh()
            return
        seconds = time.monotonic() - self._plain_line_at
        if seconds >= PLAIN_SECONDS:
            written, self._characters = load.characters - self._characters, load.characters
            self._plain_line_at += seconds
            if written or load.streams:
                say(self._console, _in_words(load.streams, load.waiting, written / seconds))


def _in_words(streams: int, waiting: int, speed: float) -> str:
    line = f"{quantity(streams, 'streams')}  {speed:,.0f} characters/s"
    return f"{line}  {waiting:,} waiting" if waiting else line
