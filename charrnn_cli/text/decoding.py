"""Bytes to clean text: decoded strictly, without a byte order mark, with LF as the only line break."""

import codecs
import io
import itertools
import re
from collections.abc import Iterator

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.sources import Source

LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # not a character; utf-7 and unicode_escape allow it
VALID_UNICODE = ("utf-8", "ascii", "iso8859-1", "cp1252")  # encodings that cannot express it; most texts have one
Chunks = Iterator[tuple[str, int]]  # text, and the bytes of the file that were read for it


class DecodingError(TextError):
    """A file that is not text in its encoding. `problem` is the message without the advice for preparing a text."""

    def __init__(self, problem: str, encodings: str) -> None:
        super().__init__(
            f"{problem} Choose its encoding, for example {encodings}. To keep all bytes as they are, pass `level=byte`."
        )
        self.problem = problem


def text_chunks(source: Source, encoding: str) -> Chunks:
    """The clean text of a file, and the bytes that were read for it.

    Raises DecodingError, with line and offset, for bytes that are not `encoding`, for NUL characters and for lone
    surrogates; TextError, DiskError.
    """
    decoder = text_decoder(encoding)
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    may_be_invalid = codecs.lookup(encoding).name not in VALID_UNICODE
    offset, line, at_start = 0, 1, True
    for chunk, size in itertools.chain(source.chunks(), [(b"", 0)]):
        undecoded = len(decoder.getstate()[0])  # bytes of an unfinished character
        try:
            text = newlines.decode(chunk, final=not chunk)
        except UnicodeError as error:
            raise _wrong_encoding(encoding, source, error, line, offset - undecoded) from error
        offset += len(chunk)
        if at_start and text:
            text, at_start = text.removeprefix("\ufeff"), False
        if "\0" in text:
            raise _nul_character(encoding, source, line + text[: text.index("\0")].count("\n"))
        if surrogate := may_be_invalid and LONE_SURROGATE.search(text):
            raise _lone_surrogate(encoding, source, line + text[: surrogate.start()].count("\n"))
        line += text.count("\n")
        yield text, size


def _nul_character(encoding: str, source: Source, line: int) -> DecodingError:
    problem = f"{source.name} has a NUL character in line {line}, so it is not plain text in {encoding}."
    return DecodingError(problem, "`encoding=utf-16`")


def _lone_surrogate(encoding: str, source: Source, line: int) -> DecodingError:
    problem = f"{source.name} has half of a surrogate pair in line {line}, so it is not valid text in {encoding}."
    return DecodingError(problem, "`encoding=utf-8`")


def _wrong_encoding(encoding: str, source: Source, error: UnicodeError, line: int, offset: int) -> DecodingError:
    """The error for bytes that cannot be decoded; the bytes in `error` start in `line`, at byte `offset`."""
    valid_bytes, bad_byte = b"", ""
    if isinstance(error, UnicodeDecodeError):
        valid_bytes = error.object[: error.start]
        bad_byte = f" (byte 0x{error.object[error.start : error.start + 1].hex()})"
    line += valid_bytes.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n").count("\n")
    problem = f"{source.name} is not {encoding}: line {line}, byte offset {offset + len(valid_bytes)}{bad_byte}."
    return DecodingError(problem, "`encoding=cp1252` or `encoding=utf-16`")


def text_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """A strict decoder. Raises UsageError for an encoding that Python does not know."""
    try:
        if not codecs.lookup(encoding)._is_text_encoding:
            raise LookupError
        return codecs.getincrementaldecoder(encoding)("strict")
    except LookupError:
        raise UsageError(
            f"`encoding` {encoding!r} is not an encoding that Python knows. Common ones are utf-8, utf-16, cp1252 "
            "and latin-1."
        ) from None
