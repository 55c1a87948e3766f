import gzip
import io
import os
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import sources
from charrnn_cli.text.sources import Source, find_sources, text_chunks, zstd


def read(path: Path, encoding: str = "utf-8") -> str:
    return "".join(text for text, _ in text_chunks(Source(path.name, path), encoding))


def with_chunks_of(size: int, path: Path, encoding: str = "utf-8") -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", size)
        return read(path, encoding)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers(1, 5))
def test_line_ends_become_lf_wherever_a_chunk_ends(tmp_path_factory, text, size):
    path = tmp_path_factory.getbasetemp() / "text"
    path.write_bytes(text.encode())
    clean = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    assert with_chunks_of(size, path) == clean


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
def test_encodings_and_their_boms(folder, encoding):
    path = folder / "text"
    path.write_bytes("Où?\r\nLà.".encode(encoding))
    assert with_chunks_of(3, path, encoding) == "Où?\nLà."


@pytest.mark.parametrize(("size", "before"), [(1 << 20, ""), (4, ""), (3, "\ufeff")])
def test_bytes_of_another_encoding_are_located(folder, size, before):
    path = folder / "text"
    path.write_bytes(before.encode() + b"one\r\ntwo\nna\xefve\n")
    offset = len(before.encode()) + 11
    with pytest.raises(TextError, match=rf"text is not utf-8: line 3, byte offset {offset} \(byte 0xef\).*--encoding"):
        with_chunks_of(size, path)


def test_a_character_that_is_cut_off_at_the_end_is_located(folder):
    (folder / "text").write_bytes("aé".encode()[:-1])
    with pytest.raises(TextError, match="line 1, byte offset 1"):
        with_chunks_of(1, folder / "text")


def test_a_nul_character_is_located(folder):
    (folder / "text").write_bytes(b"a\nb\0c")
    with pytest.raises(TextError, match=r"NUL character in line 2.*--level byte"):
        read(folder / "text")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", ""])
def test_an_encoding_that_is_none(folder, encoding):
    (folder / "text").write_bytes(b"abc")
    with pytest.raises(UsageError, match="--encoding"):
        read(folder / "text", encoding)


def test_bytes_are_left_as_they_are(folder):
    data = bytes(range(256)) + b"\r\n"
    (folder / "data").write_bytes(data)
    assert b"".join(chunk for chunk, _ in Source("data", folder / "data").chunks()) == data


def test_files_come_as_given_and_folders_sorted(folder):
    (folder / "poems" / "old").mkdir(parents=True)
    for name in ("poems/b.txt", "poems/a.txt", "poems/old/c.txt", "poems/notes.md", "z.txt", "a.txt"):
        (folder / name).write_text(name)
    found = find_sources(["z.txt", "poems", "a.txt"], folder)
    assert [source.path.as_posix() for source in found] == [
        "z.txt",
        "poems/a.txt",
        "poems/b.txt",
        "poems/old/c.txt",
        "a.txt",
    ]


def test_standard_input_is_spooled(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\r\n")))
    (source,) = find_sources(["-"], folder)
    assert read(source.path) == "from a pipe\n"


def test_pipes_are_spooled(folder):
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(b"from a fifo"))
    writer.start()
    (source,) = find_sources(["pipe"], folder)
    writer.join()
    assert read(source.path) == read(source.path) == "from a fifo"


def test_standard_input_cannot_be_read_twice(folder):
    with pytest.raises(UsageError, match="named twice"):
        find_sources(["-", "a", "-"], folder)


def test_no_such_file_and_a_folder_without_text(folder):
    with pytest.raises(TextError, match=r"no such file: novel\.txt"):
        find_sources(["novel.txt"], folder)
    (folder / "empty").mkdir()
    with pytest.raises(TextError, match=r"no \.txt file in the folder empty"):
        find_sources(["empty"], folder)


def checked(data):
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACKED = {
    "text.txt.gz": gzip.compress,
    "text.zst": checked,
    "two.zst": lambda data: checked(data[:5]) + checked(data[5:]),
    "two.gz": lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_text_is_the_text(folder, name):
    data = "Où sont les neiges?\r\n".encode() * 99
    (folder / name).write_bytes(PACKED[name](data))
    (source,) = find_sources([name], folder)
    assert with_chunks_of(7, folder / name) == data.decode().replace("\r\n", "\n")
    assert sum(size for _, size in source.chunks()) == source.size == (folder / name).stat().st_size


def test_a_zip_is_its_texts(folder):
    with zipfile.ZipFile("one.zip", "w") as archive:
        archive.writestr("story", "once")
    with zipfile.ZipFile("many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b.txt", "../../a.txt", "picture.png", "c/d.txt"):
            archive.writestr(name, name)
    (source,) = find_sources(["one.zip"], folder)
    assert b"".join(chunk for chunk, _ in source.chunks()) == b"once"
    found = find_sources(["many.zip"], folder)
    assert [source.name for source in found] == ["many.zip/../../a.txt", "many.zip/b.txt", "many.zip/c/d.txt"]
    for source in found:
        assert b"".join(chunk for chunk, _ in source.chunks()).decode() == source.member
        assert sum(size for _, size in source.chunks()) == source.size


@pytest.mark.parametrize("name", [*PACKED, "text.zip"])
@pytest.mark.parametrize("damage", ["cut", "overwritten", "another"])
def test_a_damaged_one_is_named(folder, name, damage):
    def harmed(data):
        return {"cut": data[:-9], "overwritten": data[:40] + b"\xff" * 9 + data[49:], "another": b"x"}[damage]

    data = bytes(range(256)) * 9
    if name == "text.zip":
        with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("text.txt", data)
        (folder / name).write_bytes(harmed((folder / name).read_bytes()))
    else:
        (folder / name).write_bytes(harmed(PACKED[name](data)))
    with pytest.raises(TextError, match=f"{name}.* cannot be unpacked"):
        [list(source.chunks()) for source in find_sources([name], folder)]


def test_a_folder_gives_its_packed_texts_too(folder):
    (folder / "texts").mkdir()
    for name in ("b.txt.gz", "a.txt", "c.txt.zst", "d.gz"):
        (folder / "texts" / name).touch()
    assert [source.path.name for source in find_sources(["texts"], folder)] == ["a.txt", "b.txt.gz", "c.txt.zst"]
