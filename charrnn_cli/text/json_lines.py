"""JSON Lines: files with one JSON object per line. One field of each object is text."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from charrnn_cli.errors import TextError
from charrnn_cli.text.vocabulary import END

DEFAULT_FIELD = "text"


def json_records(name: str, chunks: Iterable[tuple[str, int]], field: str | None) -> Iterator[tuple[list[str], int]]:
    """The texts of the records of a file, and the bytes that were read for them.

    Skips blank lines. Raises TextError for any other line that is not an object with text in `field`.
    """
    field = field or DEFAULT_FIELD
    text_of = _field_decoder(field)
    number = 0  # of the current line
    unfinished_line = ""
    for chunk, size in chunks:
        *lines, unfinished_line = (unfinished_line + chunk).split("\n")
        texts = []
        for line in lines:
            number += 1
            if line.strip():
                texts.append(_text(line, text_of, field, f"line {number}", name))
        yield texts, size
    if unfinished_line.strip():
        yield [_text(unfinished_line, text_of, field, f"line {number + 1}", name)], 0


def has_text_field(line: str, field: str | None) -> bool:
    """Whether a line is a JSON object with text in `field`."""
    import msgspec

    try:
        _field_decoder(field or DEFAULT_FIELD)(line)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    return True


def _text(line: str, text_of: Callable[[str], str], field: str, place: str, name: str) -> str:
    """The text of one record. Raises TextError."""
    import msgspec

    try:
        text = text_of(line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        reason = str(error).replace("`", "'")  # backticks would make a field look like a setting
        raise TextError(f"{name} has no text in the field {field!r} in {place}: {reason}. {_advice(line)}") from error
    if END in text:
        raise TextError(f"{name} has a NUL character in the record of {place}, so it is not plain text.")
    return text


def _advice(line: str) -> str:
    """What to do about a record without the right field."""
    import msgspec

    try:
        record = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return "Remove that line."
    fields = [name for name, value in record.items() if isinstance(value, str)]
    if not fields:
        return "Remove that line."
    return f"The record has text in: {', '.join(fields)}. Choose a field, for example `field={fields[0]}`."


@lru_cache(maxsize=1)
def _field_decoder(field: str) -> Callable[[str], str]:
    """A function that reads one field of a JSON object and ignores the others."""
    import msgspec

    record = msgspec.defstruct("Record", [("text", str)], rename={"text": field})
    decode = msgspec.json.Decoder(record).decode
    return lambda line: str(decode(line).text)  # type: ignore[attr-defined]
