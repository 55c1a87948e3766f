import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from page_engine import CHARACTERS, SMALL, random_model

from charrnn_cli.network.weights import weight_shapes
from charrnn_cli.web.packing import MATRIX_BLOCK, WEIGHT_LEVELS, dequantized_weights, in_blocks, pack, quantize

FLOATS = st.floats(-1e4, 1e4, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=FLOATS))
def test_a_weight_changes_by_little_more_than_half_a_level(matrix):
    integers = quantize(matrix).integers
    assert np.abs(integers.astype(int)).max() <= WEIGHT_LEVELS
    level = np.abs(matrix).max(axis=1, keepdims=True) / WEIGHT_LEVELS
    error = np.abs(quantize(matrix).dequantized() - matrix)
    assert (error <= 0.57 * level + 5e-6).all()  # float16 rounds a scale, and has no tiny ones


@given(arrays(np.int8, st.tuples(st.integers(1, 40), st.integers(1, 6))))
def test_a_matrix_is_stored_in_full_blocks(matrix):
    blocks = in_blocks(matrix)
    height, width = MATRIX_BLOCK
    for (row, column), integer in np.ndenumerate(matrix):
        assert blocks[row // height, column // width, row % height, column % width] == integer
    assert np.count_nonzero(blocks) == np.count_nonzero(matrix)


def test_the_tensors_follow_each_other_in_the_order_of_the_header():
    model = random_model()
    header, weights = pack(model, "tiny")
    at = 0
    for tensor in header["tensors"]:
        shape, expected = tensor["shape"], model.weights[tensor["name"]].astype(np.float32)
        if len(shape) == 2:
            integers = in_blocks(quantize(expected).integers)
            stored = np.frombuffer(weights, np.int8, integers.size, at).reshape(integers.shape)
            np.testing.assert_array_equal(stored, integers)
            at += integers.size
            scales = np.frombuffer(weights, "<f2", shape[0], at)
            np.testing.assert_array_equal(scales, quantize(expected).scales)
            at += 2 * shape[0]
        else:
            np.testing.assert_array_equal(np.frombuffer(weights, "<f4", shape[0], at), expected)
            at += 4 * shape[0]
    assert at == len(weights)
    assert {tensor["name"] for tensor in header["tensors"]} == {*weight_shapes(SMALL, len(CHARACTERS)), "head.scale"}


def test_the_header_says_what_a_model_is():
    model = random_model()
    cells = [{"name": "quotes", "layer": 1, "cell": 3}]
    header = json.loads(json.dumps(pack(model, "tiny", cells).header))
    assert (header["name"], header["level"], header["tokens"]) == ("tiny", "char", list(CHARACTERS.tokens))
    assert header["config"]["hidden"] == SMALL.hidden
    assert header["config"]["states"] == ["h", "c"]
    assert header["cells"] == cells
    assert header["about"]["step"] == 3
    assert "cells" not in pack(model, "tiny").header


def test_weights_of_the_page_keep_vectors_exactly():
    model = random_model()
    weights = dequantized_weights(model)
    assert weights.keys() == model.weights.keys()
    np.testing.assert_array_equal(weights["head.bias"], model.weights["head.bias"].astype(np.float32))
