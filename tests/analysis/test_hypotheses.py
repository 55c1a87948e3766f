"""Each hypothesis on a short text: the characters where it is true, or its number at each character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.analysis.hypotheses import HYPOTHESES

BY_NAME = {one.name: one for one in HYPOTHESES}

# What each hypothesis says below each character: 1 or 0, or a digit.
CASES = {
    "quotes": ('a "bc" d\n\n"e\n\nf', "001110000011000"),
    "brackets": ("a(b[c]d)e) (f", "0111111000000"),
    "line-position": ("ab\nc\n\nd", "1201001"),
    "line-left": ("ab\nc\n\nd", "2101001"),
    "word-position": ("ab, cde", "1200123"),
    "word-left": ("ab, cde", "1000210"),
    "newline": ("a\nb", "010"),
    "speaker": ("ROMEO:\nHe said: no\nTO: I", "111111" + "0" * 13 + "11100"),
    "capitals": ("I am THE b", "0000011100"),
    "digits": ("a 12", "0011"),
    "sentence": ("One two. Three four", "1110000001111100000"),
    "paragraph": ("ab\ncd\n\nef\ng", "11000001100"),
    "indentation": ("a\n  b c\nd", "001222200"),
    "letters": ("a b1", "1010"),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_hypothesis_says_what_its_name_says(name: str) -> None:
    text, expected = CASES[name]
    assert "".join(str(int(number)) for number in BY_NAME[name].measure(text)) == expected


@given(st.text(alphabet='aB1 "“”«»()[]{}.:\n\t\U0001f600'))
def test_every_character_gets_a_finite_number(text: str) -> None:
    for hypothesis in HYPOTHESES:
        numbers = hypothesis.measure(text)
        assert numbers.shape == (len(text),) and numbers.dtype == np.float32 and np.isfinite(numbers).all()
        assert hypothesis.numeric or set(numbers.tolist()) <= {0.0, 1.0}
