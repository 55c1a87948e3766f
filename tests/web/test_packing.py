import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from page_engine import CHARACTERS, SMALL, random_model

from charrnn_cli.network.weights import weight_shapes
from charrnn_cli.web.packing import WEIGHT_LEVELS, dequantized_weights, pack, quantize

FLOATS = st.floats(-1e4, 1e4, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=FLOATS))
def test_a_weight_changes_by_little_more_than_half_a_level(matrix):
    integers = quantize(matrix).integers
    assert np.abs(integers.astype(int)).max() <= WEIGHT_LEVELS
    level = np.abs(matrix).max(axis=1, keepdims=True) / WEIGHT_LEVELS
    error = np.abs(quantize(matrix).dequantized() - matrix)
    assert (error <= 0.57 * level + 5e-6).all()  # float16 rounds a scale, and has no tiny ones


def test_the_tensors_follow_each_other_in_the_order_of_the_header():
    model = random_model()
    header, weights = pack(model, "tiny")
    at = 0
    for tensor in header["tensors"]:
        shape, expected = tensor["shape"], model.weights[tensor["name"]].astype(np.float32)
        if len(shape) == 2:
            rows, columns = shape
            integers = np.frombuffer(weights, np.int8, rows * columns, at).reshape(shape)
            scales = np.frombuffer(weights, "<f2", rows, at + rows * columns)
            np.testing.assert_allclose(integers * scales[:, None].astype(float), expected, atol=0.01)
            at += rows * columns + 2 * rows
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
