import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.composition import chunks_with_known_characters, with_known_characters, with_known_words
from charrnn_cli.text.vocabulary import Vocabulary

WORDS = "Ëlan caf\u00e9 한글 \u1ec7 x"
COMPOSED = Vocabulary("char", tuple(sorted({*WORDS, "E"})))
DECOMPOSED = Vocabulary("char", tuple(sorted({*unicodedata.normalize("NFD", WORDS)})))


@pytest.mark.parametrize("vocabulary", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_text_is_known_in_either_form(vocabulary, form):
    text = unicodedata.normalize(form, WORDS)
    known = with_known_characters(text, vocabulary)
    assert not vocabulary.lacks(known)
    assert unicodedata.normalize("NFC", known) == WORDS


def test_known_and_unknown_characters_stay():
    both = Vocabulary("char", ("E", "\u0308", "\u00cb"))
    for text in ("E\u0308", "\u00cb", "E\0E"):
        assert with_known_characters(text, both) == text
    assert with_known_characters("E\u0301\u00cb?", both) == "E\u0301\u00cb?"


def test_a_lowercase_vocabulary_knows_capitals():
    assert with_known_characters("E\u0308", Vocabulary("char", ("\u00eb",), lowercase=True)) == "\u00eb"


@given(st.text("aE\u0308\u0301\u1112\u1161\u11ab \n", max_size=30), st.integers(1, 5))
def test_chunks_may_be_cut_anywhere(text, size):
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join(chunks_with_known_characters(chunks, COMPOSED)) == with_known_characters(text, COMPOSED)


def test_words_are_known_in_either_form():
    words = Vocabulary("word", ("caf\u00e9", "nai\u0308ve"))
    assert with_known_words(["cafe\u0301", "na\u00efve", "so\u0301"], words) == ["caf\u00e9", "nai\u0308ve", "so\u0301"]
