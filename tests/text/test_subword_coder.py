import hashlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.config import SUBWORDS, PrepareSettings
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import blocks, subword_coder
from charrnn_cli.text.sources import Source
from charrnn_cli.text.subword_coder import SubwordCoder, learned_subwords
from charrnn_cli.text.tokenizer import tokenizer_of

RHYME = "one two two three three three\n" * 20


def counted(folder, text: str, held_out: str = "", processes: int = 1, **settings) -> SubwordCoder:
    coder = SubwordCoder(PrepareSettings(level="subword", **settings), processes)
    for name, part in (("train", text), ("valid", held_out)):
        (folder / name).write_bytes(part.encode())
        source = Source(name, folder / name)
        if name == "train":
            list(coder.learn([source]))
        list(coder.count([source], hashlib.sha256(), held_out=name == "valid"))
    return coder


def encoded(coder, vocabulary, folder, *texts: str):
    """The ids of texts, one file each, and the number of characters of each token."""
    for number, text in enumerate(texts):
        (folder / str(number)).write_bytes(text.encode())
    sources = [Source(str(number), folder / str(number)) for number in range(len(texts))]
    pieces = list(coder.encode(sources, hashlib.sha256(), vocabulary))
    return [id for piece in pieces for id in piece.ids.tolist()], [n for piece in pieces for n in piece.characters]


def test_a_vocabulary_has_the_characters_and_then_the_subwords_as_they_were_learned(folder):
    coder = counted(folder, RHYME)
    characters, learned = "\n ehnortw", coder.vocabulary().tokens[9:]
    assert "".join(coder.vocabulary().tokens[:9]) == characters
    assert learned[0] in ("re", "ee", "th", " t", "hr")  # the most frequent pairs
    assert " three" in learned
    assert " two" in learned
    assert coder.vocabulary().unknown is None
    assert counted(folder, RHYME).vocabulary() == coder.vocabulary()


def test_subwords_are_counted_and_encoded_as_the_tokenizer_splits_them(folder):
    coder = counted(folder, RHYME, vocab_size=16)
    vocabulary = coder.vocabulary()
    ids, lengths = encoded(coder, vocabulary, folder, RHYME)
    assert vocabulary.decode(ids) == tokenizer_of(vocabulary).split(RHYME)
    assert [len(token) for token in vocabulary.decode(ids)] == lengths
    assert coder.distinct == len(set(ids))
    rarest, count = coder.rarest(1)[0]
    assert count == min(vocabulary.decode(ids).count(token) for token in set(vocabulary.decode(ids)))
    assert rarest in vocabulary.decode(ids)


def test_vocab_size_is_a_limit_that_has_a_place_for_each_character(folder):
    assert len(counted(folder, RHYME, vocab_size=15).vocabulary()) == 15 - 2  # no <unk>, no <eod>
    assert len(counted(folder, RHYME, "x", vocab_size=15, documents="line").vocabulary()) == 15
    with pytest.raises(TextError, match=r"`vocab_size=11` is too small for subwords: each of the 9 .*`vocab_size=12`"):
        counted(folder, RHYME, vocab_size=11)


def test_without_a_limit_a_thousand_subwords_are_learned(folder):
    words = " ".join(f"{a}{b}{c} " * 10 for a in "abcdefghijkl" for b in "mnopqrstuv" for c in "abcdefghijkl")
    tokens = counted(folder, words).vocabulary().tokens
    assert len(tokens) == SUBWORDS + len(set(words))


def test_a_rare_pair_is_not_merged(folder):
    assert counted(folder, "ab\n" * 9).vocabulary().tokens == ("\n", "a", "b")
    assert counted(folder, "ab\n" * 10).vocabulary().tokens == ("\n", "a", "b", "ab")


def test_rare_and_held_out_characters_are_unknown(folder):
    coder = counted(folder, "aa " * 10 + "bb z", "x", min_count=2)
    vocabulary = coder.vocabulary()
    assert vocabulary.tokens[:4] == ("<unk>", " ", "a", "b")
    assert vocabulary.unknown == 0
    ids, lengths = encoded(coder, vocabulary, folder, "aaz")
    assert (vocabulary.decode(ids), lengths) == (["aa", "<unk>"], [2, 1])
    assert coder.lacking(counted(folder, "ab").vocabulary()) == [" ", "aa", "x", "z"]
    with pytest.raises(TextError, match="`min_count=9` leaves no characters: the text has only 3"):
        counted(folder, "abc", min_count=9)


def test_documents_end_with_a_token_that_has_no_characters(folder):
    coder = counted(folder, "ab ab\nab\n" * 9, documents="line")
    vocabulary = coder.vocabulary()
    assert vocabulary.end == 0
    ids, lengths = encoded(coder, vocabulary, folder, "ab\nab ab\n")
    assert vocabulary.decode(ids) == ["ab", "<eod>", "ab", " ", "ab", "<eod>"]
    assert lengths == [2, 0, 2, 1, 2, 0]
    source = Source("0", folder / "0")
    (found,) = coder.count([source], hashlib.sha256(), held_out=False)
    assert (found.number, list(found.document_ends)) == (6, [2, 6])


@given(st.lists(st.text("ab \n", max_size=40), min_size=1, max_size=3), st.integers(1, 12))
def test_subwords_do_not_depend_on_the_blocks(tmp_path_factory, texts, size):
    folder = tmp_path_factory.getbasetemp()
    coder = counted(folder, "ab ba aab abb\n" * 9)
    vocabulary = coder.vocabulary()
    whole = encoded(coder, vocabulary, folder, *texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_CHARACTERS", size)
        assert encoded(coder, vocabulary, folder, *texts) == whole
    assert "".join(vocabulary.decode(whole[0])) == "".join(texts)


def test_subwords_do_not_depend_on_the_number_of_processes(folder, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_CHARACTERS", 64)
    one, several = (counted(folder, RHYME, processes=processes) for processes in (1, 2))
    assert one.vocabulary() == several.vocabulary()
    assert encoded(one, one.vocabulary(), folder, RHYME) == encoded(several, one.vocabulary(), folder, RHYME)


def test_more_text_is_encoded_with_the_subwords_of_a_known_vocabulary(folder):
    vocabulary = counted(folder, RHYME).vocabulary()
    coder = SubwordCoder(PrepareSettings(level="subword"), 1, vocabulary)
    (folder / "more").write_text("three tow")
    source = Source("more", folder / "more")
    assert list(coder.learn([source])) == []
    (found,) = coder.count([source], hashlib.sha256(), held_out=False)
    assert found.number == len(tokenizer_of(vocabulary).split("three tow"))
    assert coder.lacking(vocabulary) == []


def test_a_long_text_is_learned_in_proportion(monkeypatch):
    words = {" ab": 400, " cd": 300, "x": 1}
    whole = learned_subwords(words, list(" abcdx"), 9)
    monkeypatch.setattr(subword_coder, "LEARNED_WORDS", 40)
    assert learned_subwords(words, list(" abcdx"), 9) == whole
    assert set(whole) == {"ab", " ab", "cd", " cd"} or set(whole) == {" a", " ab", " c", " cd"}


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"needs the package tokenizers, which is not installed\. Type: pip install"):
        learned_subwords({"a": 1}, ["a"], 1)
