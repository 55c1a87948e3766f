import hashlib

import pytest

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text import coding
from charrnn_cli.text.coding import coder
from charrnn_cli.text.sources import Source


def vocabulary_of(folder, text: str, held_out: str = "", **settings):
    counting = coder(PrepareSettings(level=settings.pop("level", "word"), **settings))
    for name, part in (("train", text), ("valid", held_out)):
        (folder / name).write_bytes(part.encode())
        list(counting.count([Source(name, folder / name)], hashlib.sha256(), held_out=name == "valid"))
    return counting.vocabulary(), counting


def test_words_stand_from_the_most_frequent_to_the_rarest(folder):
    vocabulary, counting = vocabulary_of(folder, "b a c a\nb a\n")
    assert vocabulary.tokens == ("a", "b", "||Return||", "c")
    assert vocabulary.marks == {"||Return||": "\n"}
    assert (vocabulary.unknown, counting.distinct) == (None, 4)
    assert counting.rarest(2) == [("c", 1), ("b", 2)]


@pytest.mark.parametrize("level", ["char", "word"])
def test_vocab_size_counts_the_unknown_token(folder, level):
    text = "a a a b b c d" if level == "word" else "aaabbcd"
    vocabulary, _ = vocabulary_of(folder, text, level=level, vocab_size=3)
    assert vocabulary.tokens == ("<unk>", "a", "b")
    for size in (4, 99):
        assert vocabulary_of(folder, text, level=level, vocab_size=size)[0].tokens == ("a", "b", "c", "d")
    with_unseen, _ = vocabulary_of(folder, text, text + " e", level=level, vocab_size=4)
    assert len(with_unseen) == 4
    assert with_unseen.unknown == 0


def test_min_count_makes_rare_words_unknown(folder):
    vocabulary, counting = vocabulary_of(folder, "a a b c c", min_count=2)
    assert vocabulary.tokens == ("<unk>", "a", "c")
    (folder / "other").write_text("a b c never")
    (encoded,) = counting.encode([Source("other", folder / "other")], hashlib.sha256(), vocabulary)
    assert encoded.ids.tolist() == [1, 0, 2, 0]
    assert [encoded.length(count) for count in range(5)] == [0, 1, 3, 5, 11]


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_vocabulary_is_that_of_the_training_text(folder, level):
    vocabulary, counting = vocabulary_of(folder, "a b", "a c", level=level)
    assert "c" not in vocabulary.tokens
    assert vocabulary.unknown == 0
    assert counting.distinct == (2 if level == "word" else 3)
    assert vocabulary_of(folder, "a b", "b a", level=level)[0].unknown is None


def test_the_unknown_token_of_a_tokenised_text_is_the_models(folder):
    vocabulary, _ = vocabulary_of(folder, "the <unk> of the <unk> <unk>\n", "the moon", split_on="whitespace")
    assert vocabulary.tokens == ("<unk>", "the", "<eos>", "of")
    assert vocabulary.unknown == 0


def test_in_prose_the_same_characters_are_not(folder):
    vocabulary, _ = vocabulary_of(folder, "the <unk> of it\n")
    assert vocabulary.unknown is None


def test_rare_words_of_a_text_with_too_many_are_forgotten(folder, monkeypatch):
    monkeypatch.setattr(coding, "DISTINCT", 50)
    text = " ".join(f"the w{i}" for i in range(200))
    vocabulary, _ = vocabulary_of(folder, text, vocab_size=2)
    assert vocabulary.tokens == ("<unk>", "the")
    early = " ".join(f"a{i}" for i in range(60))
    late = " ".join(f"b{i}" for i in range(60))
    vocabulary, _ = vocabulary_of(folder, f"{early} w w w w w w {late} {late} x", vocab_size=3)
    assert "w" in vocabulary.tokens
    with pytest.raises(TextError, match=r"more than 50 different words.*--vocab-size"):
        vocabulary_of(folder, text)


def test_min_count_that_leaves_nothing_is_refused(folder):
    with pytest.raises(TextError, match="--min-count 9 leaves no word: the text has 3 in all"):
        vocabulary_of(folder, "a b c", min_count=9)
