import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import join

from charrnn_cli.text.tokenizer import tokenizer


@given(st.text())
@pytest.mark.parametrize("level", ["char", "byte"])
def test_joined_tokens_are_the_text(level, text):
    assert join(level, tokenizer(level).split(text)) == text


@given(st.binary())
def test_bytes_of_an_argument_that_is_no_utf8_are_kept(data):
    tokens = tokenizer("byte").split(data.decode("utf-8", "surrogateescape"))
    assert bytes.fromhex("".join(tokens)) == data
    join("byte", tokens)  # and what is no text does not stop the joiner


def test_a_character_comes_out_with_its_last_byte():
    joiner = tokenizer("byte").joiner()
    assert [joiner.add(token) for token in ("c3", "a9", "e2", "82")] == ["", "é", "", ""]
    assert joiner.end() == "\N{REPLACEMENT CHARACTER}"
