from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.shuffling import shuffled_documents

END = 0


def documents(ids):
    """The documents of a text, and what follows the last one."""
    *whole, rest = "".join(map(chr, ids)).split(chr(END))
    return Counter(whole), rest


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 9))
def test_every_document_stays_whole(tokens, seed):
    ids = np.array(tokens, np.uint8)
    shuffled = shuffled_documents(ids, END, (seed, 1))
    assert (shuffled.dtype, len(shuffled)) == (ids.dtype, len(ids))
    assert documents(shuffled) == documents(ids)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_the_order_depends_on_the_seed_alone(dtype):
    ids = np.array([token for k in range(1, 41) for token in (k, END)], dtype)
    first, same, other = (shuffled_documents(ids, END, seed) for seed in ((3, 1), (3, 1), (3, 2)))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, ids)
