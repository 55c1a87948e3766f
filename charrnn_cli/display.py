"""Progress bars, summaries and previews for a person: all of rich, on stderr."""

import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.rule import Rule
from rich.text import Text

from charrnn_cli.config import Level
from charrnn_cli.text.visible import visible

if TYPE_CHECKING:
    from charrnn_cli.training.loop import Report, Validating, Validation

PLAIN_SECONDS = 10.0  # between two plain lines where stderr is no terminal
BAR_AFTER = 1.0  # seconds: what is over sooner needs no bar


class _Stderr(Console):
    def on_broken_pipe(self) -> None:
        """Nobody listens any more: the work goes on in silence."""
        self.quiet = True


def new_console(silent: bool = False) -> Console:
    """stderr: colours and bars on a terminal, plain text elsewhere, silence where it is closed."""
    silent = silent or sys.stderr is None
    on_terminal = not silent and sys.stderr.isatty()
    return _Stderr(
        stderr=True,
        force_terminal=on_terminal,
        quiet=silent,
        highlight=False,
        markup=False,
        emoji=False,
    )


def say(console: Console, text: str) -> None:
    """A line, or several, for a person; control characters of names and texts are made visible."""
    console.print(Text(visible(text)), soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of columns."""
    rows = [[visible(cell).replace("\t", "\\t") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)


def duration(seconds: float | None) -> str:
    """1:02:03 or 2:03; -:-- where nobody knows yet."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(amount: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


class WorkBar:
    """A bar over work of a known size, or over the bytes of a text, shown once it has taken a second."""

    def __init__(self, console: Console, in_bytes: bool = False) -> None:
        self._console = console
        self._amount: ProgressColumn = DownloadColumn() if in_bytes else TaskProgressColumn()
        self._started = time.perf_counter()
        self._progress: Progress | None = None

    def __enter__(self) -> "WorkBar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._progress:
            self._progress.stop()

    def show(self, doing: str, done: float, total: float) -> None:
        """Moves the bar."""
        if self._progress is None:
            if time.perf_counter() - self._started < BAR_AFTER or not self._console.is_terminal:
                return
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                self._amount,
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._progress.add_task(doing)
        self._progress.update(self._progress.task_ids[0], description=doing, completed=done, total=total)


class _TimeLeft(ProgressColumn):
    """The share of the run that is over and the time that it still takes, as the task's fields have them."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["left"])


class TrainingBar:
    """The bar of a training run with its figures below; plain lines where stderr is no terminal."""

    def __init__(self, console: Console, bounded: bool, epochs: int | None, level: Level) -> None:
        self._console = console
        self._epochs = "" if epochs is None else f"/{epochs}"
        self._level = level
        self._valid = ""
        self._said_at = -PLAIN_SECONDS
        self._figures = Text("the first steps ...")
        self._progress = Progress(
            BarColumn(bar_width=None),
            _TimeLeft(),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("", total=1.0 if bounded else None, left="")
        self._live = Live(Group(self._progress, self._figures), console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "TrainingBar":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def report(self, report: "Report") -> None:
        """How training goes."""
        if report.progress is None:
            left = f"{duration(report.seconds)} so far"
        else:
            left = f"{report.progress:4.0%}  {duration(report.seconds_left)} left".replace("%", " %")
        loss = f"ppl {report.perplexity:.2f}" if self._level == "word" else f"loss {report.loss:.3f}"
        unit = "words" if self._level == "word" else "tokens"
        figures = (
            f"epoch {report.epoch:.2f}{self._epochs}  step {report.step:,}  {loss}{self._valid}  "
            f"{report.seconds_per_batch:.3f} sec/batch  {report.tokens_per_second:,.0f} {unit}/s"
        )
        if self._console.is_terminal:
            self._progress.update(self._task, completed=report.progress, left=left)
            self._figures.plain = figures
        elif time.monotonic() - self._said_at >= PLAIN_SECONDS:
            self._said_at = time.monotonic()
            say(self._console, f"{figures}  {left.strip()}")

    def validating(self, validating: "Validating") -> None:
        """A validation begins."""
        self._figures.plain = f"step {validating.step:,}  validating on {validating.tokens:,} tokens ..."

    def validation(self, validation: "Validation", preview: str | None) -> None:
        """The loss on held-out text, and how the model writes by now."""
        loss, bits = validation.valid_loss, validation.valid_bits
        match self._level:
            case "word":
                self._valid = f"  valid ppl {validation.valid_perplexity:.2f}"
            case "char":
                self._valid = f"  valid {loss:.3f} ({bits:.3f} bpc)"
            case "byte":
                self._valid = f"  valid {loss:.3f} ({bits:.3f} bits per byte)"
        say(
            self._console,
            f"step {validation.step:,}{self._valid}{'  best so far' if validation.best else ''}",
        )
        if preview is not None:
            if self._console.is_terminal:
                self._console.print(Rule(style="dim"))
            say(self._console, preview.strip("\n"))
            if self._console.is_terminal:
                self._console.print(Rule(style="dim"))


SURPRISE = ((0.5, ""), (0.2, "green"), (0.05, "yellow"), (0.01, "dark_orange"), (0.0, "bold red"))  # from a probability


def colour_console() -> Console | None:
    """Stdout in colour; None where it is no terminal, or NO_COLOR or TERM forbid it."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal and not console.no_color and console.color_system else None


def tinted(text: str, log_probability: float) -> Text:
    """Text in the colour of how unlikely it was."""
    style = next(style for least, style in SURPRISE if math.exp(log_probability) >= least)
    return Text(text, style, tab_size=8)


def legend(nats: float) -> Text:
    """What the colours mean, and how unlikely the text was on average."""
    line = Text(f"{nats:.2f} nats per token; probability")
    for least, style in SURPRISE:
        line.append(f" {f'from {least:g}' if least else 'below'}", style)
    return line
