"""The text that is scored: files, a split of a run's own text, or a text in memory."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from charrnn_cli.errors import RunError
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.decoding import text_decoder
from charrnn_cli.text.scorable import ScorableText, read_split, read_text
from charrnn_cli.text.sources import Source, find_sources
from charrnn_cli.text.spool import temporary_folder
from charrnn_cli.text.vocabulary import Vocabulary

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class TextSource(Source):
    """A text in memory that is read as a file."""

    data: bytes = b""

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        yield self.data, len(self.data)


def read_string(text: str, model: StoredModel, unknown: Literal["error", "skip"] = "error") -> ScorableText:
    """A text as if it were a file. Raises TextError."""
    errors = "surrogateescape" if model.text.level == "byte" else "surrogatepass"  # the reader refuses lone surrogates
    source = TextSource("the text", Path(), data=text.encode("utf-8", errors))
    settings = dataclasses.replace(model.text, encoding="utf-8")
    return read_text([source], model.vocabulary, settings, unknown == "skip", by_line=False)


def read_files(
    files: Sequence[str],
    model: StoredModel,
    unknown: Literal["error", "skip"] = "error",
    by_line: bool = False,
    **changes: Any,
) -> ScorableText:
    """Files as one text, read as the model's own text was.

    `changes` replaces its `encoding`, `documents` or `field`. Raises UsageError, TextError, DiskError.
    """
    settings = dataclasses.replace(model.text, **changes)
    needs_records = "field" in changes or changes.get("documents") == "record"
    text_decoder(settings.encoding)
    with temporary_folder() as spool:
        sources = find_sources(files, Path(spool))
        return read_text(sources, model.vocabulary, settings, unknown == "skip", by_line, needs_records)


def read_split_of(run: Run, split: Split, vocabulary: Vocabulary, by_line: bool) -> ScorableText:
    """A split of a run's own text. Raises RunError if the run does not have it."""
    if not run.prepared:
        raise RunError(
            f"{run.name} comes without its training text, so it has no {split} split. Name a text: "
            f"charrnn evaluate FILE.txt `model={run.quoted}`"
        )
    corpus = Corpus(run.corpus)
    ids = corpus.split(split)
    if not len(ids):
        raise RunError(f"{run.name} has no {split} split. Pass another `split`, such as `split=train`, or name a text.")
    return read_split(ids, vocabulary, by_line, corpus.info.characters.get(split))
