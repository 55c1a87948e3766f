from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import sources
from charrnn_cli.text.decoding import text_chunks
from charrnn_cli.text.sources import Source


def read(path: Path, encoding: str = "utf-8", chunk: int = sources.CHUNK) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", chunk)
        return "".join(text for text, _ in text_chunks(Source(path.name, path), encoding))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers(1, 5))
def test_line_breaks_become_lf_wherever_a_chunk_ends(tmp_path_factory, text, chunk):
    path = tmp_path_factory.getbasetemp() / "text"
    path.write_bytes(text.encode())
    clean = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    assert read(path, chunk=chunk) == clean


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
def test_encodings_and_their_byte_order_marks(folder, encoding):
    path = folder / "text"
    path.write_bytes("Où?\r\nLà.".encode(encoding))
    assert read(path, encoding, chunk=3) == "Où?\nLà."


@pytest.mark.parametrize(("chunk", "before"), [(1 << 20, ""), (4, ""), (3, "\ufeff")])
def test_bytes_of_another_encoding_are_located(folder, chunk, before):
    path = folder / "text"
    path.write_bytes(before.encode() + b"one\r\ntwo\nna\xefve\n")
    offset = len(before.encode()) + 11
    message = rf"text is not utf-8: line 3, byte offset {offset} \(byte 0xef\).*`encoding=cp1252`.*`level=byte`"
    with pytest.raises(TextError, match=message):
        read(path, chunk=chunk)


def test_a_character_that_is_cut_off_at_the_end_is_located(folder):
    (folder / "text").write_bytes("aé".encode()[:-1])
    with pytest.raises(TextError, match="line 1, byte offset 1"):
        read(folder / "text", chunk=1)


def test_a_nul_character_is_located(folder):
    (folder / "text").write_bytes(b"a\nb\0c")
    with pytest.raises(TextError, match=r"NUL character in line 2.*`encoding=utf-16`.*`level=byte`"):
        read(folder / "text")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", ""])
def test_an_unknown_encoding_is_refused(folder, encoding):
    (folder / "text").write_bytes(b"abc")
    with pytest.raises(UsageError, match=f"`encoding` '{encoding}' is not an encoding"):
        read(folder / "text", encoding)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("utf-7", b"a\nb +2AA- c"), ("unicode_escape", b"a\nb \\ud800 c"), ("raw_unicode_escape", b"a\nb \\udfff c")],
)
def test_half_of_a_surrogate_pair_is_refused(folder, encoding, data):
    (folder / "a").write_bytes(data)
    with pytest.raises(TextError, match="has half of a surrogate pair in line 2"):
        list(text_chunks(Source("a", folder / "a"), encoding))
    (folder / "a").write_bytes(data.replace(b"+2AA-", b"+2D3eAA-").replace(b"\\ud", b"\\uc").replace(b"fff", b"000"))
    assert list(text_chunks(Source("a", folder / "a"), encoding))
