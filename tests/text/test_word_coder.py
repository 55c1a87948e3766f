import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text import blocks, word_coder, word_counts
from charrnn_cli.text.sources import Source
from charrnn_cli.text.word_coder import WordCoder


def counted(folder, text: str, held_out: str = "", **settings):
    coder = WordCoder(PrepareSettings(level="word", **settings), processes=1)
    for name, part in (("train", text), ("valid", held_out)):
        (folder / name).write_bytes(part.encode())
        list(coder.count([Source(name, folder / name)], hashlib.sha256(), held_out=name == "valid"))
    return coder


def bound(monkeypatch, distinct: int) -> None:
    """Lets no more than this many different words be counted at the same time."""
    for module in (word_coder, word_counts):
        monkeypatch.setattr(module, "MAX_DISTINCT", distinct)


def test_words_are_sorted_from_the_most_frequent_to_the_rarest(folder):
    coder = counted(folder, "b a c a\nb a\n")
    vocabulary = coder.vocabulary()
    assert vocabulary.tokens == ("a", "b", "||Return||", "c")
    assert vocabulary.marks == {"||Return||": "\n"}
    assert (vocabulary.unknown, coder.distinct) == (None, 4)
    assert coder.rarest(2) == [("c", 1), ("b", 2)]


def test_vocab_size_includes_the_special_tokens(folder):
    text = "a a a b b c d"
    assert counted(folder, text, vocab_size=3).vocabulary().tokens == ("<unk>", "a", "b")
    for size in (4, 99):
        assert counted(folder, text, vocab_size=size).vocabulary().tokens == ("a", "b", "c", "d")
    with_unseen = counted(folder, text, f"{text} e", vocab_size=4).vocabulary()
    assert len(with_unseen) == 4
    assert with_unseen.unknown == 0
    lines = counted(folder, text, vocab_size=4, documents="line").vocabulary()
    assert lines.tokens == ("<unk>", "a", "b", "<eod>")


def test_min_count_makes_rare_words_unknown(folder):
    coder = counted(folder, "a a b c c", min_count=2)
    vocabulary = coder.vocabulary()
    assert vocabulary.tokens == ("<unk>", "a", "c")
    (folder / "other").write_text("a b c never")
    (encoded,) = coder.encode([Source("other", folder / "other")], hashlib.sha256(), vocabulary)
    assert encoded.ids.tolist() == [1, 0, 2, 0]
    assert [encoded.length(count) for count in range(5)] == [0, 1, 3, 5, 11]


def test_held_out_words_are_unknown(folder):
    coder = counted(folder, "a b", "a c")
    assert coder.vocabulary().tokens == ("<unk>", "a", "b")
    assert coder.distinct == 2
    assert coder.lacking(counted(folder, "a b").vocabulary()) == ["c"]
    assert counted(folder, "a b", "b a").vocabulary().unknown is None


def test_unk_in_a_tokenized_text_is_the_unknown_token_of_the_model(folder):
    vocabulary = counted(folder, "the <unk> of the <unk> <unk>\n", "the moon", split_on="whitespace").vocabulary()
    assert vocabulary.tokens == ("<unk>", "the", "<eos>", "of")
    assert vocabulary.unknown == 0


def test_unk_in_prose_is_ordinary_text(folder):
    assert counted(folder, "the <unk> of it\n").vocabulary().unknown is None


def test_a_text_with_too_many_words_loses_the_rarest(folder, monkeypatch):
    bound(monkeypatch, 50)
    text = " ".join(f"the w{i}" for i in range(200))
    assert counted(folder, text, vocab_size=2).vocabulary().tokens == ("<unk>", "the")
    early = " ".join(f"a{i}" for i in range(60))
    late = " ".join(f"b{i}" for i in range(60))
    vocabulary = counted(folder, f"{early} w w w w w w {late} {late} x", vocab_size=3).vocabulary()
    assert "w" in vocabulary.tokens
    with pytest.raises(TextError, match=r"more than 50 different words.*`vocab_size=50000`"):
        counted(folder, text).vocabulary()


def test_min_count_that_leaves_nothing_is_refused(folder):
    with pytest.raises(TextError, match="`min_count=9` leaves no words: the text has only 3"):
        counted(folder, "a b c", min_count=9).vocabulary()


def encoded(folder, texts, settings, block_characters, processes=1):
    """The vocabulary of texts, their ids, and the number of characters of each token, with blocks of some size."""
    for number, text in enumerate(texts):
        (folder / str(number)).write_text(text)
    sources = [Source(str(number), folder / str(number)) for number in range(len(texts))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_CHARACTERS", block_characters)
        patch.setattr(blocks, "MAX_BLOCK_CHARACTERS", 4 * block_characters)
        coder = WordCoder(settings, processes)
        count = sum(counted.number for counted in coder.count(sources, hashlib.sha256(), held_out=False))
        vocabulary = coder.vocabulary()
        pieces = list(coder.encode(sources, hashlib.sha256(), vocabulary))
    ids = [id for piece in pieces for id in piece.ids.tolist()]
    characters = [length for piece in pieces for length in piece.characters.tolist()]
    assert count == len(ids) == len(characters)
    return vocabulary, ids, characters


@given(st.lists(st.text(st.sampled_from('ab"_ .,\n\n\n-'), max_size=60), min_size=1, max_size=3), st.integers(1, 12))
@pytest.mark.parametrize("split_on", ["punctuation", "whitespace"])
@pytest.mark.parametrize("documents", [None, "line"])
def test_words_do_not_depend_on_the_blocks(tmp_path_factory, split_on, documents, texts, size):
    folder = tmp_path_factory.getbasetemp()
    settings = PrepareSettings(level="word", split_on=split_on, documents=documents)
    texts = ["word", *texts]
    assert encoded(folder, texts, settings, size) == encoded(folder, texts, settings, 10**6)


@pytest.mark.parametrize("split_on", ["punctuation", "whitespace"])
def test_words_do_not_depend_on_the_number_of_processes(folder, split_on):
    dependent = '"Well, it is so.\n"No!\n' * 10  # no blank lines, and quotations that stay open
    texts = ['He said: "Yes."\n\n"Quite."  -- And so on.\n\n' * 20, dependent, "end"]
    settings = PrepareSettings(level="word", split_on=split_on)
    assert encoded(folder, texts, settings, 64, processes=3) == encoded(folder, texts, settings, 64)


def test_the_words_that_are_forgotten_do_not_depend_on_the_number_of_processes(folder, monkeypatch):
    bound(monkeypatch, 50)
    texts = ["\n\n".join(f"the w{i} a b" for i in range(200))]
    settings = PrepareSettings(level="word", vocab_size=5)
    assert encoded(folder, texts, settings, 64, processes=2) == encoded(folder, texts, settings, 64)


@pytest.mark.parametrize("split_on", ["punctuation", "whitespace"])
def test_the_number_of_words_that_are_split_at_a_time_changes_nothing(folder, monkeypatch, split_on):
    text = "a b. c\n\nd…  'e'  " * 50
    (folder / "text").write_text(text)

    def words():
        coder = WordCoder(PrepareSettings(level="word", split_on=split_on), 1)
        source = Source("text", folder / "text")
        counted = sum(counts.number for counts in coder.count([source], hashlib.sha256(), held_out=False))
        vocabulary = coder.vocabulary()
        encoded = list(coder.encode([source], hashlib.sha256(), vocabulary))
        ids = [id for one in encoded for id in one.ids.tolist()]
        characters = [length for one in encoded for length in one.characters.tolist()]
        return counted, vocabulary.tokens, ids, characters

    expected = words()
    for characters, at_once in ((1, 1), (7, 3), (64, 1000)):
        monkeypatch.setattr(word_coder, "SPLIT_CHARACTERS", characters)
        monkeypatch.setattr(word_coder, "WORDS_AT_ONCE", at_once)
        assert words() == expected


def test_the_memory_for_words_does_not_grow_with_the_text(folder):
    """A million words of one letter are 8 MB of pointers alone; blocks and ids take less."""
    (folder / "text").write_text("a b c d " * (1 << 18))
    coder = WordCoder(PrepareSettings(level="word"), 1)
    source = Source("text", folder / "text")
    list(coder.count([source], hashlib.sha256(), held_out=False))
    vocabulary = coder.vocabulary()
    tracemalloc.start()
    for encoded in coder.encode([source], hashlib.sha256(), vocabulary):
        assert len(encoded.ids) == (1 << 20) + 1  # with the space at the end
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * (1 << 20)
