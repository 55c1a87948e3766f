"""Written texts as output: plain, colored, or as JSON records."""

import io
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

import typer

from charrnn_cli.errors import UsageError, disk_errors
from charrnn_cli.files import write_bytes
from charrnn_cli.generation.reading import ReadProgress, ignore_progress
from charrnn_cli.generation.texts import Piece, Sample
from charrnn_cli.terminal.records import json_line
from charrnn_cli.text.copies import COPY_LENGTH, find_copies
from charrnn_cli.wording import visible

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn_cli.text.copies import Copies, Original

NOT_A_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # lone surrogates that do not stand for a byte
MAX_PASSAGE = 60  # characters of a copied passage that are shown
LONG_PRIME = 4096  # tokens from which reading shows a progress bar


class Output(Protocol):
    """Takes the events of texts that come one after the other."""

    def label(self, temperature: float) -> None:
        """Starts the texts of one of several temperatures."""

    def add(self, event: Piece | Sample) -> None:
        """Shows a piece, or ends a text."""

    def end(self) -> None:
        """Is called after the last text."""


def print_texts(steps: Iterable[tuple[float | None, Iterable[Piece | Sample]]], output: Output) -> None:
    """Sends the events of each temperature to an output, which labels them unless the temperature is None."""
    for temperature, events in steps:
        if temperature is not None:
            output.label(temperature)
        for event in events:
            output.add(event)
    output.end()


@contextmanager
def out_stream(file: Path | None) -> Iterator[TextIO]:
    """Standard output, or a stream that becomes a file when everything is written. Raises DiskError."""
    if file is None:
        with disk_errors("write", Path("standard output")):
            yield sys.stdout
        return
    stream = io.StringIO()
    yield stream
    with disk_errors("write", file):
        path = file.resolve()
    text = NOT_A_BYTE.sub("?", stream.getvalue())  # as on standard output
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def check_output(file: Path, force: bool) -> None:
    """Raises UsageError if `file` cannot be created, or exists and may not be replaced; DiskError."""
    with disk_errors("read", file):
        if file.is_dir() or not file.name:
            raise UsageError(f"--output {str(file)!r} is a folder. Name a file in it.")
        if os.path.lexists(file) and not force:
            raise UsageError(f"{file} already exists. Choose another --output, or replace it with --force.")
        if file.exists() and not file.is_file():
            raise UsageError(f"--output {file} is not a regular file. To write there: charrnn sample > {file}")
        if not file.resolve().parent.is_dir():
            raise UsageError(f"--output {file}: the folder {file.parent} does not exist. Create it first.")


@contextmanager
def reading_bar(tokens: int, label: str = "reading the prime") -> Iterator[ReadProgress]:
    """A progress bar for reading a prime, if it is long."""
    if tokens < LONG_PRIME:
        yield ignore_progress
        return
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console

    with WorkBar(new_console()) as bar:
        yield lambda share: bar.show(label, share, 1.0)


class TextOutput:
    """The texts themselves, each piece at once, with a line break at the end of each and a separator between two.

    If the separator is None, there is only the line break. On a terminal the separator is a rule, and control
    characters are shown as escapes unless `raw` is set.
    """

    def __init__(
        self,
        stream: TextIO,
        separator: str | None,
        echo: bool,
        raw: bool,
        colors: "Console | None",
        original: "Original | None",
    ) -> None:
        self._shown = visible if stream.isatty() and not raw else str
        self._stream, self._separator, self._echo = stream, separator, echo
        self._colors, self._original = colors, original
        self._samples: list[tuple[str, Sample, str]] = []  # with their temperatures, and their texts after the prime
        self._temperature = ""  # in words, if there are several
        self._needs_separator = False
        self._prime = ""
        self._pieces: list[str] = []  # after the prime, of the text that is being written
        self._last_character = "\n"

    def label(self, temperature: float) -> None:
        self._end_line()
        self._temperature = f"temperature {temperature:g}"
        self._needs_separator = False
        if self._stream.isatty():
            line = f"\u2500\u2500 {self._temperature} ".ljust(shutil.get_terminal_size().columns, "\u2500")
        else:
            line = f"--- {self._temperature} ---"
        self._stream.write(f"{line}\n")

    def add(self, event: Piece | Sample) -> None:
        if isinstance(event, Sample):
            self._samples.append((self._temperature, event, "".join(self._pieces)))
            self._pieces = []
            self._needs_separator = True
            return
        if event.prime and self._needs_separator:
            self._separate()
        if event.prime:
            self._prime = event.text
        else:
            self._pieces.append(event.text)
        if event.text and (self._echo or not event.prime):
            self._show(event)

    def end(self) -> None:
        self._end_line()
        if self._colors:
            self._explain_colors()
        if self._original:
            for temperature, sample, text in self._samples:
                name = ", ".join(filter(None, [temperature, f"sample {sample.sample + 1}"]))
                copies = copies_in_words(find_copies(text, self._original, self._prime))
                typer.echo(f"{name}: {copies}" if len(self._samples) > 1 else copies, err=True)

    def _show(self, piece: Piece) -> None:
        self._last_character = piece.text[-1]
        if self._colors and not piece.prime:
            from charrnn_cli.terminal.colors import tinted

            text = tinted(self._shown(piece.text), piece.log_probability)
            self._colors.print(text, end="", soft_wrap=True)
        else:
            self._stream.write(self._shown(piece.text))
        self._stream.flush()

    def _separate(self) -> None:
        """Ends a text, and writes the separator."""
        self._end_line()
        if self._separator is not None:
            line = "\u2500" * shutil.get_terminal_size().columns if self._stream.isatty() else self._separator
            self._stream.write(f"{line}\n")

    def _end_line(self) -> None:
        if self._last_character != "\n":
            self._stream.write("\n")
            self._stream.flush()  # what is said on stderr next comes after it
        self._last_character = "\n"

    def _explain_colors(self) -> None:
        from charrnn_cli.terminal.colors import legend
        from charrnn_cli.terminal.console import new_console

        nats = -sum(sample.log_probability for _, sample, _ in self._samples)
        tokens = sum(sample.tokens for _, sample, _ in self._samples)
        new_console().print(legend(nats / max(1, tokens)))


class JsonOutput:
    """A JSON record for each text, one per line; with `logprobs`, each token and its log-probability."""

    def __init__(
        self, stream: TextIO, model: str, seed: int, original: "Original | None", logprobs: bool = False
    ) -> None:
        self._stream, self._model, self._seed, self._original = stream, model, seed, original
        self._logprobs = logprobs
        self._temperature: float | None = None  # of several
        self._prime = ""
        self._pieces: list[str] = []

    def label(self, temperature: float) -> None:
        self._temperature = temperature

    def add(self, event: Piece | Sample) -> None:
        if isinstance(event, Sample):
            self._stream.write(json_line(self._record(event), self._stream))
            self._stream.flush()
        elif event.prime:
            self._prime, self._pieces = event.text, []
        else:
            self._pieces.append(event.text)

    def end(self) -> None:
        pass

    def _record(self, sample: Sample) -> dict[str, object]:
        text = "".join(self._pieces)
        record: dict[str, object] = {
            "model": self._model,
            "seed": self._seed,
            "sample": sample.sample,
            **({} if self._temperature is None else {"temperature": self._temperature}),
            "prime": self._prime,
            "text": text,
            "tokens": sample.tokens,
            "log_probability": sample.log_probability,
            "stop_reason": sample.ending,
        }
        if self._logprobs:
            record["logprobs"] = {
                "tokens": [token for token, _ in sample.scores],
                "log_probabilities": [log_probability for _, log_probability in sample.scores],
            }
        if self._original:
            record["copies"] = asdict(find_copies(text, self._original, self._prime))
        return record


def copies_in_words(copies: "Copies") -> str:
    """How much of a text was copied, for a person."""
    if copies.whole_document:
        return "copied: all of it; the text is one of the original documents"
    if not copies.longest:
        return "copied: nothing"
    passage = copies.longest
    if len(passage) > MAX_PASSAGE:
        passage = passage[: MAX_PASSAGE - 3] + "..."
    passage = visible(passage).replace("\n", " ")
    return (
        f"copied: {copies.share:.1%} in passages of {COPY_LENGTH} characters or more; the longest passage has "
        f"{len(copies.longest)}: {passage!r}"
    )
