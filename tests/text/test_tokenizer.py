import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.tokenizer import (
    ByteTokenizer,
    CharTokenizer,
    SubwordTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
    ends_word,
    is_space,
    tokenizer_of,
)
from charrnn_cli.text.vocabulary import Vocabulary


def join(how: Tokenizer, tokens: list[str]) -> str:
    joiner = how.joiner()
    return "".join([*map(joiner.add, tokens), joiner.end()])


@given(st.text())
@pytest.mark.parametrize("how", [CharTokenizer(), ByteTokenizer(), SubwordTokenizer({" a": 0, "ab": 1})], ids=type)
def test_joined_tokens_are_the_text(how, text):
    if not isinstance(how, ByteTokenizer):
        text = text.replace("\0", "")  # which ends a document
    assert join(how, how.split(text)) == text


def test_lowercase_changes_only_the_case():
    assert CharTokenizer(lowercase=True).split("Ab C") == ["a", "b", " ", "c"]
    assert SubwordTokenizer({"ab": 0}, lowercase=True).split("Ab C") == ["ab", " ", "c"]


def test_a_space_at_the_end_of_a_prime_belongs_to_the_next_subword():
    how = SubwordTokenizer({" a": 0})
    assert how.split("a a ", unfinished=True) == ["a", " a"]
    assert how.split("a a ") == ["a", " a", " "]


@given(st.text("ab \t\n<>", max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_split_at_white_space_every_line_ends_with_eos(text, cuts):
    splitter, pieces, start = WhitespaceTokenizer().splitter(), [], 0
    for cut in sorted(cuts):
        pieces += splitter.add(text[start:cut])
        start = max(start, cut)
    pieces += splitter.add(text[start:]) + splitter.end()
    lines = [line.split() for line in text.split("\n")]
    *ended, last = lines
    assert pieces == [token for line in ended for token in (*line, "<eos>")] + ([*last, "<eos>"] if last else [])


def test_split_at_white_space_several_spaces_become_one():
    how = WhitespaceTokenizer()
    assert join(how, how.split(" the  N-th <unk> \n\n of\t it")) == "the N-th <unk>\n\nof it\n"


def test_split_at_white_space_the_last_line_of_a_prime_does_not_end():
    assert WhitespaceTokenizer().split("a b", unfinished=True) == ["a", "b"]
    assert WhitespaceTokenizer().split("a b\n", unfinished=True) == ["a", "b", "<eos>"]


@given(st.binary())
def test_bytes_of_an_argument_that_is_not_utf8_are_kept(data):
    tokens = ByteTokenizer().split(data.decode("utf-8", "surrogateescape"))
    assert bytes.fromhex("".join(tokens)) == data
    join(ByteTokenizer(), tokens)  # joins what is not text, too


def test_a_character_appears_with_its_last_byte():
    joiner = ByteTokenizer().joiner()
    assert [joiner.add(token) for token in ("c3", "a9", "e2", "82")] == ["", "é", "", ""]
    assert joiner.end() == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("vocabulary", "tokens"),
    [
        (Vocabulary("char", ()), ["a", "<eod>", "b"]),
        (Vocabulary("subword", ()), ["a", "<eod>", "b"]),
        (Vocabulary("word", (), marks={"<eod>": "\0"}), ["a", "<eod>", "b"]),
        (Vocabulary("word", (), split_on="whitespace"), ["a", "<eod>", "b"]),
    ],
)
def test_the_end_of_a_document_is_a_token_without_text(vocabulary, tokens):
    how = tokenizer_of(vocabulary)
    assert how.split("a\0b", unfinished=True) == tokens
    assert join(how, tokens) == "ab"


def test_white_space_is_a_token_of_characters_and_bytes():
    assert [is_space(token, "char") for token in (" ", "\n", "\xa0", "a", "<eod>")] == [True, True, True, False, False]
    assert [is_space(token, "byte") for token in ("20", "0a", "a0", "61")] == [True, True, False, False]
    assert not is_space("||Return||", "word")


def test_a_word_ends_at_white_space_and_before_a_subword_that_begins_with_it():
    assert [ends_word(token, "subword") for token in (" ", "\n", " a", "a", "<eod>")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not ends_word(" a", "word")
