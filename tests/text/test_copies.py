import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import prepare_text

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import copies
from charrnn_cli.text.copies import COPY_LENGTH, Original, find_copies
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary


def by_hand(text: str, other: str, minimum: int) -> tuple[int, float]:
    passages = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    longest = max((len(passage) for passage in passages if passage in other), default=0)
    starts = [i for i in range(len(text) - minimum + 1) if text[i : i + minimum] in other]
    copied = {k for start in starts for k in range(start, start + minimum)}
    return longest, len(copied) / max(1, len(text))


@given(st.text("ab\ne", max_size=25), st.text("ab\ne", max_size=60), st.integers(0, 60), st.booleans())
def test_every_copied_passage_is_found(text, other, cut, in_memory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "COPY_LENGTH", 4)
        patch.setattr(copies, "PIECE_LENGTH", 8)
        if not in_memory:
            patch.setattr(copies, "MEMORY_LIMIT", 0)
        found = find_copies(text, Original(lambda: [other[:cut], other[cut:]]))
    longest, share = by_hand(text, other, 4)
    assert len(found.longest) == longest
    assert found.longest in text
    assert found.longest in other
    assert abs(found.share - share) < 1e-9


def test_only_long_passages_count_as_copies():
    other = "".join(chr(0x4E00 + i) for i in range(1000))
    text = other[100 : 100 + COPY_LENGTH] + "x" * 10 + other[300 : 300 + COPY_LENGTH - 1] + "y" * 41
    found = find_copies(text, Original(lambda: [other]))
    assert found.longest == other[100 : 100 + COPY_LENGTH]
    assert found.share == COPY_LENGTH / len(text)


NAMES = PrepareSettings(documents="line", valid=0, test=0)


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_text_that_is_a_whole_document_is_found(folder, monkeypatch, level, in_memory):
    if not in_memory:
        monkeypatch.setattr(copies, "MEMORY_LIMIT", 0)
        monkeypatch.setattr(copies, "PIECE_LENGTH", 4)
    settings = dataclasses.replace(NAMES, level=level)
    run = prepare_text(folder, "Anna\nMary Ann\nJohn\n", settings)
    split = Original.from_split(Corpus(run.corpus).split("train"), Vocabulary.load(run.vocabulary))
    for original in (split, Original.from_files(["fox.txt"], settings)):
        for name in ("Anna", "Mary Ann", "John"):
            assert find_copies(name, original).whole_document
            assert find_copies(name[2:], original, prime=name[:2]).whole_document
        for part in ("Ann", "nna", "Mary", "AnnaMary Ann", ""):
            assert not find_copies(part, original).whole_document
        assert find_copies("AnnaMary", original).longest == "AnnaMary"  # a passage may cross the end of a document


def test_one_text_has_no_documents():
    assert not find_copies("Anna", Original(lambda: ["Anna"])).whole_document


def text_of(original: Original) -> str:
    return "".join(chr(code) for piece in original.pieces() for code in piece)


def test_the_original_of_a_split_is_its_text():
    marks = {"||Comma||": ","}
    words = Vocabulary("word", ("to", "be", *marks), marks=marks)
    assert text_of(Original.from_split([0, 2, 1, 0], words)) == "to, be to"


@pytest.mark.parametrize("level", ["char", "byte"])
@pytest.mark.parametrize("documents", [None, "line", "file"])
def test_the_original_of_a_file_is_that_of_its_split(folder, level, documents):
    if level == "byte" and documents:
        pytest.skip("bytes have no documents")
    settings = PrepareSettings(level=level, documents=documents, lowercase=level == "char", valid=0, test=0)
    run = prepare_text(folder, "One,\r\ntwo\n\nÜber", settings)
    split = Corpus(run.corpus).split("train")
    assert text_of(Original.from_files(["fox.txt"], settings)) == text_of(
        Original.from_split(split, Vocabulary.load(run.vocabulary))
    )


def test_a_long_original_is_read_again(folder, monkeypatch):
    monkeypatch.setattr(copies, "MEMORY_LIMIT", 0)
    (folder / "a.txt").write_text("one two")
    original = Original.from_files(["a.txt"], PrepareSettings())
    assert text_of(original) == text_of(original) == "one two"


def test_files_that_cannot_be_the_original(folder):
    (folder / "b.txt").write_bytes(b"caf\xe9")
    with pytest.raises(TextError, match=r"b\.txt is not utf-8.*Convert it to utf-8"):
        Original.from_files(["b.txt"], PrepareSettings())
    with pytest.raises(UsageError, match="standard input"):
        Original.from_files(["-"], PrepareSettings())
