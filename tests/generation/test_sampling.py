import dataclasses
import math
from functools import cache
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation import torch_engine
from charrnn_cli.generation.engine import Sampler
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.reading import read_tokens
from charrnn_cli.generation.sampling import (
    FILTERS,
    active_filters,
    allowed_tokens,
    draw,
    filters,
    ladder,
    log_probabilities,
    min_p,
    penalize,
    probabilities,
    temper,
    top_n,
    top_p,
)
from charrnn_cli.generation.texts import Piece, write_texts
from charrnn_cli.network.model import LanguageModel, get_weights
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


def filtered(logits, settings, recent, allowed):
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
def test_filters_leave_probabilities_of_allowed_tokens(case):
    logits, settings, recent, allowed = case
    p = probabilities(filtered(logits, settings, recent, allowed))
    assert p.sum(axis=1) == pytest.approx(1)
    assert (p >= 0).all()
    assert not p[:, ~allowed].any()


@given(cases(), st.floats(0, 1, exclude_max=True))
def test_torch_filters_and_draws_the_same(case, uniform):
    logits, settings, recent, allowed = case
    left = filtered(logits, settings, recent, allowed)
    sampler = Sampler(settings, allowed)
    other = torch_engine.filtered(
        torch.from_numpy(logits), torch.from_numpy(recent), sampler, torch.from_numpy(allowed)
    )
    same = np.isfinite(left) == np.isfinite(other.numpy())
    if settings.top_p == 1 and settings.min_p == 0:  # rounding may move their borders
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
def test_top_n_leaves_the_n_largest_and_of_equal_ones_the_first(logits, n):
    for one, kept in zip(logits, np.isfinite(top_n(logits, n)), strict=True):
        assert kept.sum() == min(n, len(one))
        assert set(np.flatnonzero(kept)) == set(np.argsort(-one, kind="stable")[:n])


@given(some_logits, st.floats(0.001, 0.999))
def test_top_p_leaves_the_smallest_set_that_reaches_p(logits, p):
    shares = probabilities(logits)
    for share, kept in zip(shares, np.isfinite(top_p(logits, p)), strict=True):
        assert share[kept].sum() >= p - 1e-9
        assert share[kept].sum() - share[kept].min() < p + 1e-9  # the least likely of them is needed
        assert kept.all() or share[kept].min() >= share[~kept].max()


@given(some_logits, st.floats(0.001, 0.999))
def test_min_p_leaves_tokens_that_are_likely_enough_compared_with_the_likeliest(logits, p):
    shares = probabilities(logits)
    kept = np.isfinite(min_p(logits, p))
    assert (shares[kept] >= (p * shares.max(axis=1, keepdims=True) * np.ones_like(shares))[kept] * (1 - 1e-9)).all()
    assert (shares[~kept] < (p * shares.max(axis=1, keepdims=True) * np.ones_like(shares))[~kept] * (1 + 1e-9)).all()


@given(some_logits, st.floats(0, 1, exclude_max=True))
def test_temperature_0_and_top_1_draw_the_likeliest_token(logits, uniform):
    uniforms = np.full(len(logits), uniform)
    everything = np.ones(logits.shape[1], bool)
    for settings in (SamplingSettings(temperature=0), SamplingSettings(temperature=2, top_n=1)):
        left = filtered(logits, settings, np.zeros((len(logits), 0), int), everything)
        assert draw(left, uniforms).tolist() == logits.argmax(axis=1).tolist()


def test_the_penalty_makes_only_recent_tokens_less_likely():
    logits = np.array([[2.0, -2.0, 3.0, -3.0]])
    assert penalize(logits, np.array([[0, 1, -1, 0]]), 2.0).tolist() == [[1.0, -4.0, 3.0, -3.0]]
    assert penalize(logits, np.array([[-1, -1]]), 2.0).tolist() == logits.tolist()


def test_large_logits_do_not_overflow():
    left = temper(np.array([[1e30, -1e30]]), 1e-6)
    assert draw(left, np.array([0.999])).tolist() == [0]


def test_the_largest_random_number_draws_a_token_that_is_left():
    left = np.array([[0.0, 0.0, -math.inf]])
    assert draw(left, np.array([np.nextafter(1.0, 0.0)])).tolist() == [1]


def test_100_000_draws_follow_the_probabilities():
    logits, draws = np.random.default_rng(1).normal(0, 2, 40), 100_000
    uniforms = np.random.default_rng(0).random(draws)
    counts = np.bincount(draw(temper(np.tile(logits, (draws, 1)), 1.0), uniforms), minlength=40)
    expected = draws * probabilities(logits[None])[0]
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 72.1  # the 0.1 % quantile at 39 degrees of freedom


def test_log_probabilities_are_those_of_the_model():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])) + 5
    assert np.exp(log_probabilities(logits, np.array([1, 2]))) == pytest.approx([0.2, 0.8])


ABC = Vocabulary("char", ("<unk>", *"abcd"), unknown=0)


def test_allow_only_ban_and_allow_unknown_choose_the_allowed_tokens():
    def allowed(**settings):
        found = allowed_tokens(SamplingSettings(**settings), ABC)
        return [token for token, may in zip(ABC.tokens, found, strict=True) if may]

    assert allowed() == ["a", "b", "c", "d"]
    assert allowed(allow_unknown=True) == list(ABC.tokens)
    assert allowed(ban=("ax", "d")) == ["b", "c"]
    assert allowed(allow_only=("abz",)) == ["a", "b"]
    assert allowed(allow_only=("ab",), ban=("a",)) == ["b"]


def test_subwords_are_banned_by_what_they_contain_and_allowed_by_their_characters():
    subwords = Vocabulary("subword", ("<unk>", "<eod>", *" abc", " a", "ab", " abc"), unknown=0, end=1)

    def allowed(**settings):
        found = allowed_tokens(SamplingSettings(**settings), subwords)
        return [token for token, may in zip(subwords.tokens, found, strict=True) if may]

    assert allowed(ban=("b",)) == ["<eod>", " ", "a", "c", " a"]
    assert allowed(ban=("bc", " a")) == ["<eod>", " ", "a", "b", "c", "ab"]
    assert allowed(allow_only=("ab",)) == ["a", "b", "ab"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"allow_only": ("xyz",)}, r"the model knows no token of `allow_only` \('xyz'\)"),
        ({"ban": ("abcd",)}, "`ban` excludes every token"),
        ({"allow_only": ("ab",), "ban": ("ba",)}, "or `ban` excludes them all"),
    ],
)
def test_no_token_left_to_write_is_an_error(settings, message):
    with pytest.raises(UsageError, match=message):
        allowed_tokens(SamplingSettings(**settings), ABC)


def test_words_are_banned_and_spaces_are_not():
    marks = {"||Comma||": ",", "||NoSpace||": ""}
    words = Vocabulary("word", ("to", "be", *marks), marks=marks)
    assert allowed_tokens(SamplingSettings(ban=("be,",)), words).tolist() == [True, False, False, True]


def test_the_filters_are_active_only_if_their_settings_say_so():
    def active(**settings):
        return [entry.settings[0] for entry in active_filters(SamplingSettings(**settings), np.ones(3, bool))]

    assert active(top_p=1.0) == ["temperature"]
    assert active(temperature=0, top_n=3, top_p=0.5, min_p=0.1) == ["temperature"]
    settings = {"top_n": 3, "top_p": 0.5, "min_p": 0.1, "repetition_penalty": 2.0}
    assert active(**settings) == ["repetition_penalty", "temperature", "top_n", "top_p", "min_p"]
    assert active_filters(SamplingSettings(), np.array([True, False]))[0].settings == (
        "ban",
        "allow_only",
        "allow_unknown",
    )


def test_a_ladder_has_the_settings_with_each_temperature():
    settings = SamplingSettings(top_n=3)
    assert ladder(settings, None) == [settings]
    assert ladder(settings, (0.5, 1)) == [dataclasses.replace(settings, temperature=t) for t in (0.5, 1)]
    for wrong in ([], "0.5", 0.5, [-1]):
        with pytest.raises(UsageError, match=r"`temperatures?` must be"):
            ladder(settings, wrong)


def test_filters_read_settings_that_exist():
    names = [name for entry in FILTERS for name in entry.settings]
    assert len(set(names)) == len(names)
    assert set(names) <= {field.name for field in dataclasses.fields(SamplingSettings)}


LETTERS = Vocabulary("char", ("<unk>", "\n", " ", *"abcdefghijklmnopqrstuvwxyz"), unknown=0)
NETWORK = ModelSettings(hidden=16, layers=2, embedding=8)

# For every setting, values that change the text: a new setting needs an entry here.
CHANGES = {
    "length": {"length": 7},
    "temperature": {"temperature": 1.7},
    "top_n": {"top_n": 2},
    "top_p": {"top_p": 0.4},
    "min_p": {"min_p": 0.5},
    "repetition_penalty": {"repetition_penalty": 3.0},
    "repetition_window": {"repetition_window": 2, "repetition_penalty": 3.0},
    "ban": {"ban": ("aeiou",)},
    "allow_only": {"allow_only": ("abcdef",)},
    "allow_unknown": {"allow_unknown": True},
    "stop": {"stop": ("k",)},
    "keep_stop": {"keep_stop": True, "stop": ("k",)},
    "until_line": {"until_line": True},
    "lines": {"lines": 1},
}


def draw_likeliest_first(logits, uniforms):
    """As `draw`, but the cumulative sum starts with the likeliest token: the ONNX graph has them in this order."""
    order = np.argsort(-logits, axis=1, kind="stable")
    places = draw(np.take_along_axis(logits, order, axis=1), uniforms)
    return np.take_along_axis(order, places[:, None], axis=1)[:, 0]


class OnnxByStepsEngine(OnnxEngine):
    """The ONNX engine, with the common filters in place of those in its graph."""

    def write_fused(self, *arguments):
        with mock.patch("charrnn_cli.generation.engine.draw", draw_likeliest_first):
            return self.write_by_steps(*arguments)


@cache
def engine(name):
    torch.manual_seed(0)
    weights = {name: 4 * array for name, array in get_weights(LanguageModel(NETWORK, len(LETTERS))).items()}
    weights["head.bias"][:2] += (2, 4)  # makes <unk> and line breaks likely
    if name == "torch":
        return torch_engine.TorchEngine(weights, NETWORK, torch.device("cpu"))
    return {"numpy": NumpyEngine, "onnx": OnnxEngine, "onnx by steps": OnnxByStepsEngine}[name](weights, NETWORK)


@cache
def written(name, settings):
    """Two texts by an engine."""
    state = read_tokens(engine(name), LETTERS, LETTERS.encode("far"))
    events = list(write_texts(engine(name), LETTERS, state, settings, seed=3, samples=2))
    pieces = [event for event in events if isinstance(event, Piece)]
    return ["".join(piece.text for piece in pieces if piece.sample == number) for number in range(2)]


@pytest.mark.parametrize(("name", "reference"), [("numpy", "numpy"), ("torch", "numpy"), ("onnx", "onnx by steps")])
@pytest.mark.parametrize("setting", [field.name for field in dataclasses.fields(SamplingSettings)])
def test_every_setting_has_its_effect_on_every_engine(setting, name, reference):
    changed = SamplingSettings(**{"length": 60, **CHANGES[setting]})
    others = {other: value for other, value in CHANGES[setting].items() if other != setting}
    unchanged = SamplingSettings(**{"length": 60, **others})
    texts = written(name, changed)
    assert texts == written(reference, changed)
    assert texts != written(name, unchanged)
