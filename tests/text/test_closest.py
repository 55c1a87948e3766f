from charrnn_cli.text.closest import closest_known
from charrnn_cli.text.vocabulary import Vocabulary


def test_a_character_is_close_to_itself_without_accents_in_another_form_or_case():
    straight = Vocabulary("char", ('"', "-", "a", "c", "E", "y"))
    assert closest_known("É", straight) == ["E"]
    assert closest_known("ç", straight) == ["c"]
    assert closest_known("“", straight) == ['"']
    assert closest_known("—", straight) == ["-", "-"]
    assert closest_known("Я", straight) == ["y", "a"]
    assert closest_known("A", straight) == ["a"]
    assert closest_known("z", straight) == []
    assert closest_known("☕", straight) == []


def test_a_straight_quote_is_close_to_a_curly_one():
    curly = Vocabulary("char", ("a", "b", "’", "“"))
    assert closest_known("'", curly) == ["’"]
    assert closest_known("B", curly) == ["b"]
    assert closest_known("z", curly) == []


def test_a_word_is_close_to_the_one_with_the_most_similar_spelling():
    words = Vocabulary("word", ("Romeo", "cafe", "be", "to"))
    assert closest_known("Romoe", words) == ["Romeo"]
    assert closest_known("café", words) == ["cafe"]
    assert closest_known("router", words) == []
    assert closest_known("bo", words) == []  # too short to compare


def test_nothing_is_close_to_a_byte():
    assert closest_known("é", Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))) == []
