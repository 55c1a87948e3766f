"""Files as documents: JSON Lines, and a mark where each document ends."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.sources import Source, text_chunks, unpacked_name
from charrnn_cli.text.vocabulary import END

JSON_LINES = (".jsonl", ".ndjson")
FIELD = "text"  # of a record, where none is named
Chunks = Iterator[tuple[str, int]]


def document_chunks(source: Source, settings: PrepareSettings) -> Chunks:
    """(clean text, bytes of the file's size read for it), with `END` where a document ends. Raises TextError."""
    chunks = text_chunks(source, settings.encoding)
    if settings.field is not None or is_json_lines(source):
        chunks = _records(source, chunks, settings.field or FIELD, END if settings.documents == "record" else "\n")
    elif settings.documents == "record":
        raise TextError(
            f"{source.name} is no .jsonl file and has no records. Name their field, such as --field text, or take "
            "--documents line or --documents file."
        )
    if settings.documents == "line":
        chunks = _lines(chunks)
    yield from chunks
    if settings.documents == "file":
        yield END, 0


def is_json_lines(source: Source) -> bool:
    """Whether a file is one by its name."""
    return unpacked_name(source.name).endswith(JSON_LINES)


def _lines(chunks: Chunks) -> Chunks:
    """Every line that is not empty, and its end."""
    open_line = False
    for text, size in chunks:
        marked = re.sub(r"\n+", END, text if open_line else text.lstrip("\n"))
        if marked:
            open_line = marked[-1] != END
        yield marked, size
    if open_line:
        yield END, 0


def _records(source: Source, chunks: Chunks, field: str, end: str) -> Chunks:
    """The text of each record, and `end` behind it."""
    text_of, number, rest = _decoder(field), 0, ""
    for text, size in chunks:
        *lines, rest = (rest + text).split("\n")
        records = []
        for line in lines:
            number += 1
            if line.strip():
                records.append(_record(source, line, number, field, text_of, end))
        yield "".join(records), size
    if rest.strip():
        yield _record(source, rest, number + 1, field, text_of, end), 0


def _record(source: Source, line: str, number: int, field: str, text_of: Callable[[str], str], end: str) -> str:
    """The text of one record. Raises TextError."""
    import msgspec

    try:
        text = text_of(line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        try:
            record = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError):
            record = {}
        fields = ", ".join(name for name, value in record.items() if isinstance(value, str))
        advice = f"It has text in: {fields}. Name one: --field {fields.split(',')[0]}" if fields else "Leave it out."
        raise TextError(
            f"{source.name} has no text in the field {field!r} in line {number}: {error}. {advice}"
        ) from error
    if END in text:
        raise TextError(f"{source.name} has a NUL character in the record of line {number}: it is no plain text.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if end == "\n" and text.endswith("\n") else text + end


@lru_cache(maxsize=1)
def _decoder(field: str) -> Callable[[str], str]:
    """Reads one field of a JSON object; what else is in it is passed over."""
    import msgspec

    kind = msgspec.defstruct("Record", [("text", str)], rename={"text": field})
    decode = msgspec.json.Decoder(kind).decode
    return lambda line: str(decode(line).text)  # type: ignore[attr-defined]
