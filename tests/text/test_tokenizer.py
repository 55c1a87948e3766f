import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.tokenizer import Tokenizer, WhitespaceTokenizer, tokenizer


def join(how: Tokenizer, tokens: list[str]) -> str:
    joiner = how.joiner()
    return "".join([*map(joiner.add, tokens), joiner.end()])


@given(st.text())
@pytest.mark.parametrize("level", ["char", "byte"])
def test_joined_tokens_are_the_text(level, text):
    assert join(tokenizer(level), tokenizer(level).split(text)) == text


def test_lower_case_is_all_that_lowercase_forgets():
    assert tokenizer("char", lowercase=True).split("Ab C") == ["a", "b", " ", "c"]


@given(st.text("ab \t\n<>", max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_between_white_space_every_line_ends_with_eos_however_the_text_comes(text, cuts):
    splitter, pieces, start = WhitespaceTokenizer().splitter(), [], 0
    for cut in sorted(cuts):
        pieces += splitter.add(text[start:cut])
        start = max(start, cut)
    pieces += splitter.add(text[start:]) + splitter.end()
    lines = [line.split() for line in text.split("\n")]
    *ended, last = lines
    assert pieces == [token for line in ended for token in (*line, "<eos>")] + ([*last, "<eos>"] if last else [])


def test_between_white_space_runs_of_it_become_one_space():
    how = WhitespaceTokenizer()
    assert join(how, how.split(" the  N-th <unk> \n\n of\t it")) == "the N-th <unk>\n\nof it\n"


def test_a_prime_between_white_space_goes_on():
    assert WhitespaceTokenizer().split("a b", unfinished=True) == ["a", "b"]
    assert WhitespaceTokenizer().split("a b\n", unfinished=True) == ["a", "b", "<eos>"]


@given(st.binary())
def test_bytes_of_an_argument_that_is_no_utf8_are_kept(data):
    tokens = tokenizer("byte").split(data.decode("utf-8", "surrogateescape"))
    assert bytes.fromhex("".join(tokens)) == data
    join(tokenizer("byte"), tokens)  # and what is no text does not stop the joiner


def test_a_character_comes_out_with_its_last_byte():
    joiner = tokenizer("byte").joiner()
    assert [joiner.add(token) for token in ("c3", "a9", "e2", "82")] == ["", "é", "", ""]
    assert joiner.end() == "\N{REPLACEMENT CHARACTER}"
