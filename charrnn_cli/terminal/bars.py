"""Progress bars, on stderr."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

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
from charrnn_cli.terminal.console import say
from charrnn_cli.wording import duration

if TYPE_CHECKING:
    from charrnn_cli.training.events import Report, Validating, Validation

PLAIN_SECONDS = 10.0  # between two plain lines if stderr is not a terminal
BAR_AFTER = 1.0  # seconds: shorter work needs no bar


class WorkBar:
    """A bar for work of a known size, in percent or in bytes. It appears after a second."""

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
        """Moves the bar to `done` of `total`."""
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


def _judged(validation: "Validation") -> str:
    """Whether a validation is the best so far, or which one is."""
    if validation.best:
        return "  best so far"
    return f"  no better since step {validation.best_step:,}; sample uses that one" if validation.best_step else ""


class _TimeLeft(ProgressColumn):
    """The share of the run that is done and the time that is left, from the fields of the task."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["left"])


class TrainingBar:
    """The progress bar of training with its figures below; plain lines if stderr is not a terminal."""

    def __init__(
        self, console: Console, bounded: bool, epochs: int | None, level: Level, characters_per_token: float = 1.0
    ) -> None:
        self._console = console
        self._characters_per_token = characters_per_token
        self._epochs = "" if epochs is None else f"/{epochs}"
        self._level = level
        self._valid = ""
        self._plain_line_at = -PLAIN_SECONDS
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
        """Shows the progress, the loss and the speed."""
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
        elif time.monotonic() - self._plain_line_at >= PLAIN_SECONDS:
            self._plain_line_at = time.monotonic()
            say(self._console, f"{figures}  {left.strip()}")

    def validating(self, validating: "Validating") -> None:
        self._figures.plain = f"step {validating.step:,}  validating on {validating.tokens:,} tokens ..."

    def validation(self, validation: "Validation", preview: str | None) -> None:
        """Shows the loss on the held-out text and a preview of what the model writes."""
        loss, bits = validation.valid_loss, validation.valid_bits
        match self._level:
            case "word":
                self._valid = f"  valid ppl {validation.valid_perplexity:.2f}"
            case "char":
                self._valid = f"  valid {loss:.3f} ({bits:.3f} bpc)"
            case "subword":
                self._valid = f"  valid {loss:.3f} ({bits / self._characters_per_token:.3f} bpc)"
            case "byte":
                self._valid = f"  valid {loss:.3f} ({bits:.3f} bits per byte)"
        say(self._console, f"step {validation.step:,}{self._valid}{_judged(validation)}")
        if preview is not None:
            if self._console.is_terminal:
                self._console.print(Rule(style="dim"))
            say(self._console, preview.strip("\n"))
            if self._console.is_terminal:
                self._console.print(Rule(style="dim"))
