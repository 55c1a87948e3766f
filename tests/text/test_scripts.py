import pytest

from charrnn_cli.text.scripts import unspaced_share


@pytest.mark.parametrize("word", ["天地玄黄", "ひらがな", "カタカナ", "สวัสดี", "ສະບາຍດີ", "សួស្តី", "မင်္ဂလာပါ"])
def test_scripts_without_spaces(word):
    assert unspaced_share({word: 3}) == 1


@pytest.mark.parametrize("word", ["Anna", "Анна", "Ἄννα", "안녕", "שלום", "नमस्ते", "x2"])
def test_scripts_with_spaces(word):
    assert unspaced_share({word: 3}) == 0


def test_words_count_as_often_as_they_occur():
    assert unspaced_share({"天地": 3, "ab": 1}) == 0.75
    assert unspaced_share({}) == 0
