import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn_cli.errors import UsageError
from charrnn_cli.generation.state import State

HIDDEN = np.linspace(-1, 1, 1024, dtype=np.float32)
STATE = State(HIDDEN, 7, (3, 300, 7), "abc")


def test_it_comes_back_from_bytes():
    again = State.from_bytes(STATE.to_bytes())
    assert again == STATE
    assert hash(again) == hash(STATE)
    np.testing.assert_array_equal(again.hidden, HIDDEN)
    assert (again.last, again.recent, again.model) == (7, (3, 300, 7), "abc")


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=20), st.lists(st.integers(0, 2**32), max_size=50))
def test_every_state_comes_back_from_bytes(numbers, recent):
    state = State(np.array(numbers, np.float32), 0, tuple(recent), "model")
    assert State.from_bytes(state.to_bytes()) == state


def test_it_is_small():
    assert len(STATE.to_bytes()) < 4 * len(HIDDEN) + 100


@pytest.mark.parametrize(
    "changes", [{"last": 8}, {"recent": (3, 7)}, {"model": "abd"}, {"hidden": HIDDEN + np.float32(1)}]
)
def test_every_part_counts(changes):
    assert dataclasses.replace(STATE, **changes) != STATE


def test_nothing_changes_it():
    with pytest.raises(ValueError, match="read-only"):
        STATE.hidden[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        STATE.last = 1
    with pytest.raises(ValueError, match="read-only"):
        State.from_bytes(STATE.to_bytes()).hidden[0] = 1


@given(st.binary(max_size=50))
def test_other_bytes_are_an_error(data):
    with pytest.raises(UsageError):
        State.from_bytes(data)


@example(position=2, change=128)  # not UTF-8
@given(st.integers(0, len(STATE.to_bytes()) - 1), st.integers(1, 255))
def test_each_damaged_byte_is_an_error(position, change):
    data = bytearray(STATE.to_bytes())
    data[position] ^= change
    with pytest.raises(UsageError):
        State.from_bytes(bytes(data))


def test_bytes_of_another_version_are_an_error():
    _, checksum, packed = msgspec.msgpack.decode(STATE.to_bytes())
    with pytest.raises(UsageError, match="'charrnn state 2'; this version reads only 'charrnn state 1'"):
        State.from_bytes(msgspec.msgpack.encode(("charrnn state 2", checksum, packed)))


def test_what_is_not_bytes_is_an_error():
    with pytest.raises(UsageError, match="`data` must be the bytes"):
        State.from_bytes("abc")
