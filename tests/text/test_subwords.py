from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE

from charrnn_cli.text import subwords
from charrnn_cli.text.subwords import LONGEST_WORD, SPACED_WORDS, Subwords, SubwordSplitter, merged

TEXTS = st.text(st.sampled_from("ab \n\t.,1\0\u00e9\u4e2d\u0301\u2028")) | st.text()
RANKS = {subword: rank for rank, subword in enumerate(("ab", " a", "aa", "aab", " ab", "bb", "  ", ".,"))}


def split(text: str, cuts: list[int], lowercase: bool = False) -> list[str]:
    """The tokens of a text that is given in pieces."""
    splitter = SubwordSplitter(Subwords(RANKS), lowercase)
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    tokens = [token for start, end in pairwise(borders) for token in splitter.add(text[start:end])]
    return tokens + splitter.end()


@given(TEXTS)
def test_words_are_the_text_in_pieces_of_bounded_length(text):
    words = SPACED_WORDS.findall(text)
    assert "".join(words) == text
    assert max(map(len, words), default=0) <= LONGEST_WORD + 1


def test_a_word_has_the_space_before_it_and_one_kind_of_characters():
    text = 'The old  man\'s 3.5 apples:\n\n\t\treturn  "x_1"\0end '
    assert SPACED_WORDS.findall(text) == [
        *("The", " old", " ", " man", "'", "s", " 3", ".", "5", " apples", ":", "\n", "\n"),
        *("\t\t", "return", " ", ' "', "x", "_", "1", '"', "\0", "end", " "),
    ]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=4))
def test_a_text_in_pieces_has_the_same_subwords(text, cuts):
    assert split(text, cuts) == split(text, [])


def test_long_words_and_white_space_in_pieces_have_the_same_subwords():
    text = "a" * 100 + " " * 100 + "b" * 70 + "\t" * 40
    assert all(split(text, [cut]) == split(text, []) for cut in range(len(text)))


@given(st.text("ab ", max_size=12))
def test_subwords_are_those_of_the_library(word):
    alphabet = "ab "
    merges = [("a", "b"), (" ", "a"), ("a", "a"), ("b", "b")]
    tokens = [*alphabet, *map("".join, merges)]
    ids = {token: id for id, token in enumerate(tokens)}
    expected = [token.value for token in BPE(ids, merges).tokenize(word)] if word else []
    assert list(merged(word, ids)) == expected
    assert Tokenizer(BPE(ids, merges)).encode(word).tokens == expected


def test_the_subword_that_was_learned_first_is_merged_first():
    assert merged("aab", {"ab": 0, "aa": 1}) == ("a", "ab")
    assert merged("aab", {"aa": 0, "ab": 1}) == ("aa", "b")
    assert merged("aab", {"ab": 0, "aab": 1}) == ("aab",)
    assert merged("aaa", {"aa": 0}) == ("aa", "a")


def test_known_words_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(subwords, "KNOWN_WORDS", 2)
    known = Subwords(RANKS)
    assert [known[word] for word in ("ab", "aab", "bb", "ab")] == [("ab",), ("aab",), ("bb",), ("ab",)]
    assert len(known) <= 2
