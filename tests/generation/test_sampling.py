import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.sampling import draw, filters, probabilities, top_n, without

some_logits = arrays(np.float32, st.integers(1, 40), elements=st.floats(-80, 80, width=32))


@given(some_logits, st.floats(0.01, 100))
def test_probabilities_sum_to_one_and_keep_the_order(logits, temperature):
    p = probabilities(logits, temperature)
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()
    assert (np.diff(p[np.argsort(logits)]) >= 0).all()


@given(some_logits, st.integers(1, 50))
def test_top_n_leaves_the_n_largest(logits, n):
    kept = np.isfinite(top_n(logits, n))
    assert kept.sum() == min(n, len(logits))
    if not kept.all():
        assert logits[kept].min() >= logits[~kept].max()


@given(some_logits, st.integers(0, 2**32))
def test_temperature_0_and_top_1_are_the_likeliest(logits, seed):
    random = np.random.default_rng(seed)
    assert draw(logits, 0, random) == logits.argmax() == draw(top_n(logits, 1), 1.0, random)


def test_large_logits_do_not_overflow():
    assert draw(np.array([1e30, -1e30], np.float32), 1e-6, np.random.default_rng(0)) == 0


def test_draws_follow_the_probabilities():
    logits = np.log(np.array([0.5, 0.25, 0.15, 0.0999, 0.0001], np.float64))
    random, draws = np.random.default_rng(0), 20_000
    counts = np.bincount([draw(logits, 1.0, random) for _ in range(draws)], minlength=5)
    expected = draws * probabilities(logits, 1.0)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 18.5  # 0.1 % of fair draws from five are above, 4 degrees of freedom


def test_what_is_left_out_is_never_drawn():
    random = np.random.default_rng(0)
    settings = SamplingSettings(top_n=2)
    for _ in range(200):
        logits = np.array([9.0, 1.0, 0.9, -3.0])
        for filter in filters(settings, never=[0]):
            logits = filter(logits)
        assert draw(logits, 1.0, random) in (1, 2)
    assert without(np.zeros(3), [1]).tolist() == [0, -math.inf, 0]
