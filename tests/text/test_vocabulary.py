import json

import pytest

from charrnn_cli.errors import RunError
from charrnn_cli.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary("char", ("<unk>", "\n", "a", "é", "😀"), unknown=0)


def test_decode_is_the_inverse_of_encode():
    assert VOCABULARY.decode(VOCABULARY.encode(VOCABULARY.tokens)) == list(VOCABULARY.tokens)
    assert VOCABULARY.lacks(["a", "b", "é", "c"]) == [1, 3]


WORDS = Vocabulary("word", ("<unk>", "||Comma||", "a"), 0, "punctuation", True, {"||Comma||": ","})


@pytest.mark.parametrize("vocabulary", [VOCABULARY, WORDS, Vocabulary("word", ("a", "<eos>"), None, "whitespace")])
def test_saved_equals_loaded(folder, vocabulary):
    vocabulary.save(folder / "vocabulary.json")
    assert Vocabulary.load(folder / "vocabulary.json") == vocabulary


@pytest.mark.parametrize(
    "change",
    [
        {"level": "syllable"},
        {"level": None},
        {"tokens": []},
        {"tokens": ["a", "a"]},
        {"tokens": ["a", 1]},
        {"tokens": "abc"},
        {"tokens": ["a", "bc"]},
        {"level": "byte", "tokens": ["00", "0g"]},
        {"split_on": "vowels"},
        {"punctuation": {"a": 1}},
        {"punctuation": "a"},
        {"special": {"unknown": 5}},
        {"special": {"unknown": "a"}},
    ],
)
def test_a_damaged_file_is_named(folder, change):
    VOCABULARY.save(folder / "vocabulary.json")
    record = json.loads((folder / "vocabulary.json").read_text("utf-8"))
    (folder / "vocabulary.json").write_text(json.dumps(record | change))
    with pytest.raises(RunError, match=r"vocabulary\.json"):
        Vocabulary.load(folder / "vocabulary.json")


def test_ids_that_are_too_large_are_refused():
    with pytest.raises(RunError, match=r"too large for a vocabulary of 2 tokens.*charrnn info --verify"):
        Vocabulary("char", ("a", "b")).decode([0, 2])
