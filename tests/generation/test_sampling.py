import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation import torch_engine
from charrnn_cli.generation.engine import Sampler
from charrnn_cli.generation.sampling import (
    allowed_tokens,
    draw,
    filters,
    log_probabilities,
    min_p,
    penalise,
    probabilities,
    temper,
    top_n,
    top_p,
)
from charrnn_cli.text.vocabulary import Vocabulary

some_logits = arrays(
    np.float64, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=st.floats(-40, 40, allow_subnormal=False)
)
some_settings = st.builds(
    SamplingSettings,
    temperature=st.sampled_from([0, 0.3, 1, 2.5]),
    top_n=st.integers(0, 5),
    top_p=st.floats(0.05, 1),
    min_p=st.floats(0, 0.9),
    repetition_penalty=st.sampled_from([1, 1.3, 0.8]),
)


def row(logits, settings, recent, allowed):
    for filter in filters(settings, allowed):
        logits = filter(logits, recent)
    return logits


@st.composite
def cases(draw_one):
    logits = draw_one(some_logits)
    B, V = logits.shape
    allowed = draw_one(arrays(bool, V))
    allowed[draw_one(st.integers(0, V - 1))] = True
    recent = draw_one(arrays(np.int64, (B, 4), elements=st.integers(-1, V - 1)))
    return logits, draw_one(some_settings), recent, allowed


@given(cases())
def test_what_any_row_of_filters_leaves_are_probabilities_of_allowed_tokens(case):
    logits, settings, recent, allowed = case
    p = probabilities(row(logits, settings, recent, allowed))
    assert p.sum(axis=1) == pytest.approx(1)
    assert (p >= 0).all()
    assert not p[:, ~allowed].any()


@given(cases(), st.floats(0, 1, exclude_max=True))
def test_torch_filters_and_draws_the_same(case, uniform):
    logits, settings, recent, allowed = case
    left = row(logits, settings, recent, allowed)
    sampler = Sampler(settings, allowed)
    other = torch_engine.filtered(
        torch.from_numpy(logits), torch.from_numpy(recent), sampler, torch.from_numpy(allowed)
    )
    same = np.isfinite(left) == np.isfinite(other.numpy())
    if settings.top_p == 1 and settings.min_p == 0:  # whose borders rounding may move
        assert same.all()
    if same.all():
        uniforms = np.full(len(logits), uniform)
        drawn = torch_engine.draw(torch.from_numpy(left), torch.from_numpy(uniforms)).numpy()
        assert np.isfinite(left[np.arange(len(left)), drawn]).all()
        np.testing.assert_allclose(probabilities(left), probabilities(other.numpy()), atol=1e-9)


@given(some_logits, st.floats(0.01, 100))
def test_temperature_keeps_the_order(logits, temperature):
    p = probabilities(temper(logits, temperature))
    for one, other in zip(p, logits, strict=True):
        assert (np.diff(one[np.argsort(other)]) >= 0).all()


@given(some_logits, st.integers(1, 50))
def test_top_n_leaves_the_n_largest_and_of_equals_the_first(logits, n):
    for one, kept in zip(logits, np.isfinite(top_n(logits, n)), strict=True):
        assert kept.sum() == min(n, len(one))
        assert set(np.flatnonzero(kept)) == set(np.argsort(-one, kind="stable")[:n])


@given(some_logits, st.floats(0.001, 0.999))
def test_top_p_leaves_the_smallest_set_that_reaches_p(logits, p):
    shares = probabilities(logits)
    for share, kept in zip(shares, np.isfinite(top_p(logits, p)), strict=True):
        assert share[kept].sum() >= p - 1e-9
        assert share[kept].sum() - share[kept].min() < p + 1e-9  # without the least likely of them it does not
        assert kept.all() or share[kept].min() >= share[~kept].max()


@given(some_logits, st.floats(0.001, 0.999))
def test_min_p_leaves_what_is_likely_enough_beside_the_likeliest(logits, p):
    shares = probabilities(logits)
    kept = np.isfinite(min_p(logits, p))
    assert (shares[kept] >= (p * shares.max(axis=1, keepdims=True) * np.ones_like(shares))[kept] * (1 - 1e-9)).all()
    assert (shares[~kept] < (p * shares.max(axis=1, keepdims=True) * np.ones_like(shares))[~kept] * (1 + 1e-9)).all()


@given(some_logits, st.floats(0, 1, exclude_max=True))
def test_temperature_0_and_top_1_are_the_likeliest(logits, uniform):
    uniforms = np.full(len(logits), uniform)
    everything = np.ones(logits.shape[1], bool)
    for settings in (SamplingSettings(temperature=0), SamplingSettings(temperature=2, top_n=1)):
        left = row(logits, settings, np.zeros((len(logits), 0), int), everything)
        assert draw(left, uniforms).tolist() == logits.argmax(axis=1).tolist()


def test_the_penalty_makes_recent_tokens_less_likely_and_no_others():
    logits = np.array([[2.0, -2.0, 3.0, -3.0]])
    assert penalise(logits, np.array([[0, 1, -1, 0]]), 2.0).tolist() == [[1.0, -4.0, 3.0, -3.0]]
    assert penalise(logits, np.array([[-1, -1]]), 2.0).tolist() == logits.tolist()


def test_large_logits_do_not_overflow():
    left = temper(np.array([[1e30, -1e30]]), 1e-6)
    assert draw(left, np.array([0.999])).tolist() == [0]


def test_the_largest_uniform_number_draws_a_token_that_is_left():
    left = np.array([[0.0, 0.0, -math.inf]])
    assert draw(left, np.array([np.nextafter(1.0, 0.0)])).tolist() == [1]


def test_100_000_draws_follow_the_probabilities():
    logits, draws = np.random.default_rng(1).normal(0, 2, 40), 100_000
    uniforms = np.random.default_rng(0).random(draws)
    counts = np.bincount(draw(temper(np.tile(logits, (draws, 1)), 1.0), uniforms), minlength=40)
    expected = draws * probabilities(logits[None])[0]
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 72.1  # 0.1 % of fair draws from forty are above, 39 degrees of freedom


def test_log_probabilities_are_those_of_the_model():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])) + 5
    assert np.exp(log_probabilities(logits, np.array([1, 2]))) == pytest.approx([0.2, 0.8])


ABC = Vocabulary("char", ("<unk>", *"abcd"), unknown=0)


def test_what_may_be_written():
    def allowed(**settings):
        found = allowed_tokens(SamplingSettings(**settings), ABC)
        return [token for token, may in zip(ABC.tokens, found, strict=True) if may]

    assert allowed() == ["a", "b", "c", "d"]
    assert allowed(allow_unknown=True) == list(ABC.tokens)
    assert allowed(ban=("ax", "d")) == ["b", "c"]
    assert allowed(allow_only=("abz",)) == ["a", "b"]
    assert allowed(allow_only=("ab",), ban=("a",)) == ["b"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"allow_only": ("xyz",)}, "--allow-only 'xyz' the model knows nothing"),
        ({"ban": ("abcd",)}, "--ban names every token"),
        ({"allow_only": ("ab",), "ban": ("ba",)}, "takes it away"),
    ],
)
def test_nothing_left_to_write_is_an_error(settings, message):
    with pytest.raises(UsageError, match=message):
        allowed_tokens(SamplingSettings(**settings), ABC)


def test_words_are_banned_and_spaces_are_not():
    marks = {"||Comma||": ",", "||NoSpace||": ""}
    words = Vocabulary("word", ("to", "be", *marks), marks=marks)
    assert allowed_tokens(SamplingSettings(ban=("be,",)), words).tolist() == [True, False, False, True]
