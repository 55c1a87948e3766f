import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.generation.long_texts import BLOCK
from charrnn_cli.generation.prompts import Prompt
from charrnn_cli.generation.state_cache import OVERHEAD, StateCache

STATE = b"x" * 100


def prompt(*ids: int, repeat=1) -> Prompt:
    return Prompt(np.array(ids * repeat, np.uint16), len(ids) * repeat)


def test_the_longest_beginning_is_found():
    cache = StateCache(10_000)
    text = prompt(1, 2, 3, 4, 5)
    assert cache.find(b"", text) == (0, None)
    for position in (1, 3):
        cache.put(b"", text, position, bytes([position]))
    assert cache.find(b"", text) == (3, b"\3")
    assert cache.find(b"", prompt(1, 2, 3, 9)) == (3, b"\3")
    assert cache.find(b"", prompt(1, 2, 3)) == (1, b"\1")  # the last token is read with the first draw
    assert cache.find(b"", prompt(1, 9, 3, 4)) == (1, b"\1")
    assert cache.find(b"", prompt(2, 1, 3, 4)) == (0, None)


def test_owners_do_not_share_states():
    cache = StateCache(10_000)
    cache.put(b"a", prompt(1, 2, 3), 2, STATE)
    assert cache.find(b"a", prompt(1, 2, 3))[0] == 2
    assert cache.find(b"b", prompt(1, 2, 3))[0] == 0


def test_a_long_text_is_found_from_any_position():
    cache = StateCache(10**6)
    text = prompt(*range(7), repeat=2 * BLOCK // 7 + 9)
    places = (5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 20)
    for position in places:
        cache.put(b"", text, position, STATE)
        assert cache.find(b"", text)[0] == position
    edited = text.ids.copy()
    edited[BLOCK + 5] += 1
    assert cache.find(b"", Prompt(edited, len(edited)))[0] == BLOCK + 1


def test_the_state_that_was_not_used_for_longest_goes_first():
    size = len(STATE) + OVERHEAD
    cache = StateCache(3 * size)
    for id in range(3):
        cache.put(b"", prompt(id, id, 9), 2, STATE)
    assert cache.find(b"", prompt(0, 0, 9))[0] == 2
    cache.put(b"", prompt(3, 3, 9), 2, STATE)
    found = [cache.find(b"", prompt(id, id, 9))[0] for id in range(4)]
    assert found == [2, 0, 2, 2]
    assert (len(cache), cache.bytes) == (3, 3 * size)


@given(st.lists(st.tuples(st.lists(st.integers(0, 1), min_size=2, max_size=6), st.integers(1, 5)), max_size=30))
def test_the_size_is_that_of_the_states_and_stays_below_the_limit(puts):
    size = len(STATE) + OVERHEAD
    cache = StateCache(4 * size)
    for ids, position in puts:
        text = prompt(*ids)
        cache.put(b"", text, min(position, text.to_read), STATE)
        assert cache.find(b"", text)[0] > 0
        assert cache.bytes == len(cache) * size <= cache.limit
    assert sum(sum(rests.values()) for rests in cache._rests.values()) == len(cache)
