import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.batches import Batches


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 200))
def test_windows_cover_each_stream_once_in_order_with_true_next_tokens(B, T, more):
    N = B + 1 + more
    tokens = np.arange(N)
    batches = Batches(tokens, B, T)
    windows = [batches.pieces(i)[0] for i in range(len(batches))]
    x, y = (np.concatenate(parts, axis=1) for parts in zip(*windows, strict=True))
    assert x.ravel().tolist() == list(range(B * ((N - 1) // B)))  # each token once, streams one after the other
    assert (y == x + 1).all()
    assert all(part.shape == (B, T) for part, _ in windows[:-1])


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 60), st.integers(0, 1000))
def test_an_epoch_that_starts_later_goes_on_at_the_start_of_the_streams(B, T, more, offset):
    batches = Batches(np.arange(B + 1 + more), B, T)
    S = batches.x.shape[1]
    pieces = [piece for i in range(len(batches)) for piece in batches.pieces(i, offset % S)]
    x, y = (np.concatenate(parts, axis=1) for parts in zip(*pieces, strict=True))
    assert np.array_equal(x, np.roll(batches.x, -(offset % S), axis=1))
    assert (y == x + 1).all()


def test_tensors_are_cut_like_arrays():
    array = np.arange(50)
    of_array, of_tensor = Batches(array, 3, 4), Batches(torch.from_numpy(array), 3, 4)
    assert len(of_array) == len(of_tensor)
    for i in range(len(of_array)):
        ((x, y),), ((u, v),) = of_array.pieces(i), of_tensor.pieces(i)
        assert (x.tolist(), y.tolist()) == (u.tolist(), v.tolist())


def test_too_few_tokens_for_the_streams():
    with pytest.raises(ValueError, match="4 tokens do not fill 4 streams"):
        Batches(np.arange(4), 4, 1)
