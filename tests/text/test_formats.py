import io
import lzma
import zipfile

import pytest
from support import charrnn

from charrnn_cli.text import formats
from charrnn_cli.text.formats import (
    FORMATS,
    PLAIN,
    Format,
    content_of,
    endings,
    is_text_in_archive,
    is_text_in_folder,
    packing_of,
    unpacked_name,
)


def test_every_format_is_found_by_its_ending():
    for format in FORMATS:
        find = packing_of if format.is_packed else content_of
        assert find(f"a.b{format.ending}") is format
    assert packing_of("a.txt") is content_of("a.md") is PLAIN


def test_the_content_of_a_compressed_file_has_its_own_format():
    assert content_of("a.jsonl.gz").ending == ".jsonl"
    assert unpacked_name("a.jsonl.gz") == "a.jsonl"
    assert unpacked_name("a.zip") == "a.zip"


@pytest.mark.parametrize(
    ("name", "in_folder", "in_archive"),
    [
        ("a.txt", True, True),
        ("a.txt.gz", True, False),
        ("a.txt.zst", True, False),
        ("a.jsonl", False, True),
        ("a.gz", False, False),
        ("a.zip", False, False),
        ("a.png", False, False),
    ],
)
def test_which_files_of_a_folder_or_an_archive_are_read(name, in_folder, in_archive):
    assert (is_text_in_folder(name), is_text_in_archive(name)) == (in_folder, in_archive)


def test_endings_in_messages():
    assert endings(lambda format: format.in_folders) == ".txt"
    assert endings(lambda format: format.records) == ".jsonl or .ndjson"


def test_an_archive_tells_its_files_and_their_sizes():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.mkdir("b")
        archive.writestr("b/a.txt", "abc")
    assert formats.open_zip(data).sizes() == {"b/a.txt": 3}


def sections(name, chunks, field):
    """Records that are separated by a line with a percent sign."""
    for text in "".join(text for text, _ in chunks).split("\n%\n"):
        yield [text], 0


@pytest.fixture
def two_more_formats(monkeypatch):
    rows = (Format(".sections", records=sections), Format(".xz", unpack=lzma.open, damage=(lzma.LZMAError,)))
    monkeypatch.setattr(formats, "FORMATS", FORMATS + rows)


def test_one_row_is_enough_for_a_format(folder, two_more_formats):
    (folder / "texts").mkdir()
    (folder / "texts" / "quotes.sections.xz").write_bytes(lzma.compress(b"one two\n%\nthree four\n" * 40))
    for name in ("texts", "texts/quotes.sections.xz"):
        result = charrnn("prepare", name, "--documents", "record")
        assert result.exit_code == 0, result.stderr
    assert "charrnn train quotes" in result.stderr
    small = "--hidden 8 --layers 1 --embedding 8 --batch-size 2 --seq-length 8 --steps 2"
    assert charrnn("train", "quotes", "--cpu", "--no-preview", *small.split()).exit_code == 0
    assert charrnn("evaluate", "texts/quotes.sections.xz", "--model", "quotes").exit_code == 0
    (folder / "bad.xz").write_bytes(b"not packed")
    assert "bad.xz cannot be unpacked" in charrnn("prepare", "bad.xz").stderr
