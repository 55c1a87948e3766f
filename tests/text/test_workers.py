import os

import pytest

from charrnn_cli.errors import CharrnnError
from charrnn_cli.text.blocks import TextBlock
from charrnn_cli.text.workers import work_in_order

BLOCKS = [TextBlock((text,), True, text == "c", 1) for text in "abcd"]


def add_to_state(block, state):
    state = (state or "") + block.texts[0]
    return state, state


@pytest.mark.parametrize("processes", [1, 2])
def test_results_are_in_order_and_an_independent_block_starts_from_nothing(processes):
    results = list(work_in_order(add_to_state, BLOCKS, processes))
    assert results == list(zip(BLOCKS, ["a", "ab", "c", "cd"], strict=True))


def end_process(block, state):
    os._exit(9)


def test_a_process_that_ends_is_an_error():
    with pytest.raises(CharrnnError, match="`workers=1`"):
        list(work_in_order(end_process, BLOCKS, 2))
