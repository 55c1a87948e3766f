"""Samples on their way out: as text, as tinted text, as JSON records."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

import typer

from charrnn_cli.errors import UsageError, disk_errors
from charrnn_cli.files import write_bytes
from charrnn_cli.generation.generate import Piece, Sample
from charrnn_cli.text.copies import RUN, find_copies
from charrnn_cli.wording import visible

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn_cli.text.copies import Copies, Original

SHOWN = 60  # characters of a copied passage


class Output(Protocol):
    """Takes the events of samples that come one after the other."""

    def add(self, event: Piece | Sample) -> None:
        """Shows a piece, or ends a sample."""

    def end(self) -> None:
        """All samples are there."""


@contextmanager
def out_stream(file: Path | None) -> Iterator[TextIO]:
    """Stdout, or what becomes a file when all is written. Raises DiskError."""
    if file is None:
        with disk_errors("write", Path("standard output")):
            yield sys.stdout
        return
    written = io.StringIO()
    yield written
    write_bytes(file.resolve(), written.getvalue().encode("utf-8", "surrogateescape"))


def check_output(file: Path, force: bool) -> None:
    """Raises UsageError where `file` cannot be a new one, or may not be replaced."""
    if file.is_dir() or not file.name:
        raise UsageError(f"--output {str(file)!r} is a folder: name a file in it.")
    if os.path.lexists(file) and not force:
        raise UsageError(f"{file} is there already. Choose another --output, or replace it: --force")
    if file.exists() and not file.is_file():
        raise UsageError(f"--output {file} is no regular file. To write there: charrnn sample > {file}")
    if not file.resolve().parent.is_dir():
        raise UsageError(f"--output {file}: there is no folder {file.parent}. Make it, or name another file.")


class TextOutput:
    """The text itself, each piece at once; a line between two samples, and on a terminal a line break at the end."""

    def __init__(
        self, stream: TextIO, separator: str, echo: bool, raw: bool, tint: "Console | None", original: "Original | None"
    ) -> None:
        self._shown = visible if stream.isatty() and not raw else str
        self._stream, self._separator, self._echo, self._tint, self._original = stream, separator, echo, tint, original
        self._samples: list[tuple[Sample, str]] = []
        self._pieces: list[str] = []  # after the prime, of the sample that is being written
        self._last = "\n"  # what was written last

    def add(self, event: Piece | Sample) -> None:
        """Shows a piece, or ends a sample."""
        if isinstance(event, Sample):
            self._samples.append((event, "".join(self._pieces)))
            self._pieces = []
            return
        if event.prime and self._samples:
            self._between()
        if not event.prime:
            self._pieces.append(event.text)
        if event.text and (self._echo or not event.prime):
            self._last = event.text[-1]
            if self._tint and not event.prime:
                from charrnn_cli.terminal.colors import tinted

                self._tint.print(tinted(self._shown(event.text), event.log_probability), end="", soft_wrap=True)
            else:
                self._stream.write(self._shown(event.text))
            self._stream.flush()

    def end(self) -> None:
        """All samples are there."""
        if self._stream.isatty() and self._last != "\n":
            self._stream.write("\n")
        if self._tint:
            from charrnn_cli.terminal.colors import legend
            from charrnn_cli.terminal.console import new_console

            nats = -sum(sample.log_probability for sample, _ in self._samples)
            new_console().print(legend(nats / max(1, sum(sample.tokens for sample, _ in self._samples))))
        if self._original:
            for sample, text in self._samples:
                which = f"sample {sample.sample + 1}: " if len(self._samples) > 1 else ""
                typer.echo(which + copied(find_copies(text, self._original)), err=True)

    def _between(self) -> None:
        rule = "\u2500" * shutil.get_terminal_size().columns if self._stream.isatty() else self._separator
        self._stream.write(("" if self._last == "\n" else "\n") + rule + "\n")
        self._last = "\n"


class JsonOutput:
    """A record for each sample, one a line."""

    def __init__(self, stream: TextIO, model: str, seed: int, original: "Original | None") -> None:
        self._stream, self._model, self._seed, self._original = stream, model, seed, original
        self._prime = ""
        self._pieces: list[str] = []

    def add(self, event: Piece | Sample) -> None:
        """Takes a piece, or writes the record of a sample."""
        if isinstance(event, Piece):
            if event.prime:
                self._prime, self._pieces = event.text, []
            else:
                self._pieces.append(event.text)
            return
        text = "".join(self._pieces)
        record = {
            "model": self._model,
            "seed": self._seed,
            "sample": event.sample,
            "prime": self._prime,
            "text": text,
            "tokens": event.tokens,
            "log_probability": event.log_probability,
            "stop_reason": event.ending,
        }
        if self._original:
            record["copies"] = asdict(find_copies(text, self._original))
        self._stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._stream.flush()

    def end(self) -> None:
        """All samples are there."""


def copied(copies: "Copies") -> str:
    """What was copied, for a person."""
    if not copies.longest:
        return "copied: nothing of it stands in the text that was looked in"
    longest = copies.longest if len(copies.longest) <= SHOWN else copies.longest[: SHOWN - 3] + "..."
    return (
        f"copied: {copies.share:.1%} in runs of {RUN} characters or more; the longest passage has "
        f"{len(copies.longest)}: {visible(longest).replace(chr(10), ' ')!r}"
    )
