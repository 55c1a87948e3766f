"""The text that is scored: files, a split of a run's own text, or a text in memory."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from charrnn_cli.config import PrepareSettings, Unscorable
from charrnn_cli.errors import RunError
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.decoding import text_decoder
from charrnn_cli.text.scorable import ScorableText, TokenPart, read_split, read_text, split_parts, text_parts
from charrnn_cli.text.sources import Source, find_sources
from charrnn_cli.text.spool import temporary_folder
from charrnn_cli.text.token_ids import TokenIds
from charrnn_cli.text.vocabulary import Vocabulary

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class TextSource(Source):
    """A text in memory that is read as a file."""

    data: bytes = b""

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        yield self.data, len(self.data)


def read_string(text: str, model: StoredModel, unknown: Unscorable = "error") -> ScorableText:
    """A text as if it were a file. Raises TextError."""
    source, settings = _as_file(text, model)
    return read_text([source], model.vocabulary, settings, unknown == "skip", by_line=False)


def string_parts(
    text: str, model: StoredModel, marks: dict[str, str], unknown: Unscorable = "error"
) -> Iterator[TokenPart]:
    """Like `read_string`, part by part, with the ends of all documents. Adds to `marks` what punctuation stands for."""
    source, settings = _as_file(text, model)
    return text_parts([source], model.vocabulary, settings, unknown == "skip", marks, all_ends=True)


def read_files(
    files: Sequence[str],
    model: StoredModel,
    unknown: Unscorable = "error",
    by_line: bool = False,
    **changes: Any,
) -> ScorableText:
    """Files as one text, read as the model's own text was.

    `changes` replaces its `encoding`, `documents` or `field`. Raises UsageError, TextError, DiskError.
    """
    settings, needs_records = _reading(model, changes)
    with temporary_folder() as spool:
        sources = find_sources(files, Path(spool))
        return read_text(sources, model.vocabulary, settings, unknown == "skip", by_line, needs_records)


def file_parts(
    files: Sequence[str],
    model: StoredModel,
    marks: dict[str, str],
    unknown: Unscorable = "error",
    **changes: Any,
) -> Iterator[TokenPart]:
    """Like `read_files`, part by part, with the ends of all documents. Adds to `marks` what punctuation stands for."""
    settings, needs_records = _reading(model, changes)
    with temporary_folder() as spool:
        sources = find_sources(files, Path(spool))
        yield from text_parts(
            sources, model.vocabulary, settings, unknown == "skip", marks, needs_records, all_ends=True
        )


def read_split_of(run: Run, split: Split, vocabulary: Vocabulary, by_line: bool) -> ScorableText:
    """A split of a run's own text. Raises RunError if the run does not have it."""
    corpus, ids = _split_of(run, split)
    return read_split(ids, vocabulary, by_line, corpus.info.characters.get(split))


def parts_of_split(run: Run, split: Split, vocabulary: Vocabulary) -> Iterator[TokenPart]:
    """Like `read_split_of`, part by part."""
    return split_parts(_split_of(run, split)[1], vocabulary)


def _as_file(text: str, model: StoredModel) -> tuple[TextSource, PrepareSettings]:
    """A text as a file, and how it is read."""
    errors = "surrogateescape" if model.text.level == "byte" else "surrogatepass"  # the reader refuses lone surrogates
    source = TextSource("the text", Path(), data=text.encode("utf-8", errors))
    return source, dataclasses.replace(model.text, encoding="utf-8")


def _reading(model: StoredModel, changes: dict[str, Any]) -> tuple[PrepareSettings, bool]:
    """How files are read, and whether they must have records. Raises UsageError for an unknown encoding."""
    settings = dataclasses.replace(model.text, **changes)
    text_decoder(settings.encoding)
    return settings, "field" in changes or changes.get("documents") == "record"


def _split_of(run: Run, split: Split) -> tuple[Corpus, TokenIds]:
    if not run.prepared:
        raise RunError(f"{run.name} comes without its training text, so it has no {split} split. Pass a file.")
    corpus = Corpus(run.corpus)
    ids = corpus.split(split)
    if not len(ids):
        raise RunError(f"{run.name} has no {split} split. Pass another `split`, such as `split=train`, or name a text.")
    return corpus, ids
