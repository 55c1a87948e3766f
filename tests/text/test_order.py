import random
from string import ascii_uppercase

import numpy as np
import pytest

from charrnn_cli.text.order import is_sorted
from charrnn_cli.text.vocabulary import Vocabulary

LETTERS = Vocabulary("char", ("<eod>", *ascii_uppercase), end=0)
NAMES = [f"{letter}{other}" for letter in ascii_uppercase for other in "CAB"]


def ids(names: list[str]) -> np.ndarray:
    return np.array([id for name in names for id in (*LETTERS.encode(name), 0)], np.uint8)


def shuffled(names: list[str]) -> list[str]:
    return random.Random(0).sample(names, len(names))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (NAMES, True),
        ([*NAMES[:-1], "AB"], True),  # but for one
        (shuffled(NAMES), False),
        (NAMES[::-1], False),
        (NAMES[:19], False),  # too few
        (["A"] * 40 + ["B"] * 40, False),  # too few letters
    ],
)
def test_a_list_in_alphabetical_order_is_recognized(names, expected):
    assert is_sorted(ids(names), LETTERS) == expected


def test_only_documents_of_characters_can_be_sorted():
    assert not is_sorted(ids(NAMES), Vocabulary("char", LETTERS.tokens))
    assert not is_sorted(ids(NAMES), Vocabulary("word", LETTERS.tokens, end=0))
