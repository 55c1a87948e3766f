"""Files as clean text, with a mark where a document ends. Training, scoring, primes and copy checks all read here.

At level "byte" a file is its unpacked bytes, without documents: use `Source.chunks`.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.decoding import Chunks, DecodingError, text_chunks
from charrnn_cli.text.formats import Records, content_of, endings
from charrnn_cli.text.json_lines import has_text_field, json_records
from charrnn_cli.text.sources import Source, find_sources
from charrnn_cli.text.spool import temporary_folder
from charrnn_cli.text.vocabulary import END


def document_chunks(source: Source, settings: PrepareSettings) -> Chunks:
    """The clean text of a file, with `END` where a document ends, and the bytes that were read for it.

    Raises TextError, DiskError.
    """
    chunks = text_chunks(source, settings.encoding)
    records = _records_of(source, settings)
    if records is not None:
        record_end = END if settings.documents == "record" else "\n"
        chunks = _joined(records(source.name, chunks, settings.field), record_end)
    elif settings.documents == "record":
        raise TextError(
            f"{source.name} has no records: it is not a {endings(lambda format: format.records)} file. If its lines "
            "are JSON objects, choose a field, for example `field=text`. If not, pass `documents=line` or "
            "`documents=file`."
        )
    if settings.documents == "line":
        chunks = _lines(chunks)
    yield from chunks
    if settings.documents == "file":
        yield END, 0


def chunks_for_model(source: Source, settings: PrepareSettings) -> Chunks:
    """Like `document_chunks`, for a model whose own text was read with `settings`.

    The model's own text is read exactly as it was for training. A model that learned from records also reads plain
    text: the whole file is then one record. Raises TextError, DiskError.
    """
    has_records = content_of(source.name).records is not None
    if not has_records and settings.field is not None:
        has_records = has_text_field(_first_line(source, settings.encoding), settings.field)
    if not has_records:
        documents = "file" if settings.documents == "record" else settings.documents
        settings = dataclasses.replace(settings, field=None, documents=documents)
    return document_chunks(source, settings)


def read_whole_text(path: Path | str, settings: PrepareSettings) -> str:
    """The text of a file, or of standard input (`-`), for a model whose own text was read with `settings`.

    `END` separates documents, and the last one stays open. At level "byte", bytes that are not UTF-8 become lone
    surrogates, and nothing else changes. Raises TextError, UsageError, DiskError.
    """
    with temporary_folder() as spool, other_advice(f"Convert it to {settings.encoding}."):
        sources = find_sources([str(path)], Path(spool))
        if settings.level == "byte":
            data = b"".join(chunk for source in sources for chunk, _ in source.chunks())
            return data.decode("utf-8", "surrogateescape")
        text = "".join(chunk for source in sources for chunk, _ in chunks_for_model(source, settings))
        return text.removesuffix(END)


@contextmanager
def other_advice(advice: str) -> Iterator[None]:
    """Replaces the advice of a DecodingError, which is for preparing a text."""
    try:
        yield
    except DecodingError as error:
        raise TextError(f"{error.problem} {advice}") from error


def _records_of(source: Source, settings: PrepareSettings) -> Records | None:
    """The function that splits a file into records; None for plain text."""
    records = content_of(source.name).records
    if records is None and settings.field is not None:
        return json_records
    return records


def _joined(records: Iterable[tuple[list[str], int]], record_end: str) -> Chunks:
    """The texts of records as one text, with `record_end` after each."""
    for texts, size in records:
        yield "".join(_ended(text, record_end) for text in texts), size


def _ended(text: str, record_end: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if record_end == "\n" and text.endswith("\n") else text + record_end


def _lines(chunks: Chunks) -> Chunks:
    """Every line that is not empty, with `END` after it."""
    in_line = False
    for text, size in chunks:
        marked = re.sub(r"\n+", END, text if in_line else text.lstrip("\n"))
        if marked:
            in_line = marked[-1] != END
        yield marked, size
    if in_line:
        yield END, 0


def _first_line(source: Source, encoding: str) -> str:
    """The first line of a file that is not blank."""
    text = ""
    for chunk, _ in text_chunks(source, encoding):
        text = (text + chunk).lstrip()
        if "\n" in text:
            break
    return text.partition("\n")[0]
