import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.copies import Original
from charrnn_cli.text.entries import Entries, entry_hash
from charrnn_cli.text.vocabulary import END


@given(st.text(f"ab\n{END}", max_size=30), st.integers(0, 30))
def test_every_line_and_document_is_an_entry_wherever_the_pieces_are_cut(text, cut):
    entries = Entries([Original(lambda: [text[:cut], text[cut:]], has_documents=True)])
    for document in text.split(END):
        assert document in entries
        for line in document.split("\n"):
            assert line in entries
    assert "abc" not in entries
    assert text + "c" not in entries


@pytest.mark.parametrize("text", ["Mary Ann", " Mary  Ann\n", "John", ""])
def test_white_space_does_not_count(text):
    assert text in Entries([Original(lambda: ["John\nMary\tAnn\n"])])


def test_a_part_a_pair_and_another_case_are_no_entries():
    entries = Entries([Original(lambda: ["Anna\nJohn"])])
    for other in ("Ann", "anna", "Anna\nJohn", "AnnaJohn"):
        assert other not in entries


def test_entries_of_several_originals_are_joined():
    entries = Entries(Original(lambda text=text: [text]) for text in ("Anna", "John"))
    assert "Anna" in entries
    assert "John" in entries


def test_without_an_original_only_the_empty_text_is_an_entry():
    assert "" in Entries()
    assert "a" not in Entries()


def test_the_hash_depends_on_the_words_only():
    assert entry_hash(" a  b\n") == entry_hash("a b") != entry_hash("ab")
