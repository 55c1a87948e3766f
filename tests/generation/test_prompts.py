import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import UsageError
from charrnn_cli.generation import prompts
from charrnn_cli.generation.prime import encode_prime
from charrnn_cli.generation.prompts import Prompt, PromptEncoder, common_beginning
from charrnn_cli.text.vocabulary import Vocabulary

CHARACTERS = Vocabulary("char", ("\n", *"abcdé"))
WORDS = Vocabulary("word", ("<unk>", "far", "away"), unknown=0)


@given(st.text("ab", max_size=300), st.text("ab", max_size=300), st.text("ab", max_size=300))
def test_the_common_beginning(beginning, one, other):
    one, other = beginning + one, beginning + other
    length = common_beginning(one, other)
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]


@pytest.mark.parametrize("ending", ["", "b", "b\r\nc", "e\N{COMBINING ACUTE ACCENT}d", "\rab"])
def test_a_long_prompt_like_an_earlier_one_gets_the_same_ids(monkeypatch, ending):
    encoder = PromptEncoder(CHARACTERS)
    beginning = "abc\ndabé" * 4000
    before = encoder.encode(beginning + "\rabc")
    encoded = []
    monkeypatch.setattr(prompts, "encode_prime", lambda text, *rest: encoded.append(text) or encode_prime(text, *rest))
    for text in (beginning + ending, beginning[:-300] + ending, "b" + beginning + ending):
        found = encoder.encode(text)
        assert found.ids.tolist() == encode_prime(text, CHARACTERS).ids
        assert found.digests == Prompt(found.ids, found.length).digests
    assert len(encoded[0]) < 100
    assert before.length == len(beginning) + 4


def test_an_error_counts_positions_from_the_start():
    encoder = PromptEncoder(CHARACTERS)
    encoder.encode("ab" * 20_000)
    with pytest.raises(UsageError, match="'x' at position 40001"):
        encoder.encode("ab" * 20_000 + "x")
    assert len(encoder.encode("ab" * 20_000 + "x", "skip").ids) == 40_000


def test_no_more_than_a_few_long_prompts_are_remembered():
    encoder = PromptEncoder(CHARACTERS)
    for character in "abcd":
        for length in range(5):
            encoder.encode(character * (20_000 + 50 * length))
    assert len(encoder._remembered) == 4  # a prompt takes the place of the similar one before it


def test_digests_tell_texts_apart():
    ids = np.arange(5000, dtype=np.uint16)
    other = ids.copy()
    other[1500] = 0
    one, two = Prompt(ids, 5000), Prompt(other, 5000)
    assert len(one.digests) == len(set(one.digests)) == 5
    assert [a == b for a, b in zip(one.digests, two.digests, strict=True)] == [True, True, False, False, False]


def test_an_empty_prompt_has_the_token_that_comes_before_a_text():
    found = PromptEncoder(CHARACTERS).encode("")
    assert (found.ids.tolist(), found.length, found.to_read) == ([0], 0, 0)
    assert found.text(CHARACTERS) == ""


def test_the_text_of_a_prompt_has_the_words_that_were_replaced():
    found = PromptEncoder(WORDS).encode("far zzz away", "replace")
    assert found.text(WORDS) == "far zzz away"
