import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.analysis.agreement import MEASURES, centered_ranks

SMALL = st.floats(-8, 8, width=16).map(lambda number: number + 0.0)  # -0 has a rank of its own


def auc(values: np.ndarray, truth: np.ndarray) -> float:
    """By its definition: over all pairs of a place where it is true and one where it is false."""
    true, false = values[truth == 1][:, None].astype(float), values[truth == 0].astype(float)
    return float(((true > false) + 0.5 * (true == false)).mean())


@given(st.lists(st.tuples(SMALL, st.booleans()), min_size=2, max_size=40))
def test_auc_counts_pairs(pairs: list[tuple[float, bool]]) -> None:
    values = np.array([[value for value, _ in pairs]], np.float16)
    truth = np.array([[true for _, true in pairs]], np.float32)
    if 0 < truth.sum() < truth.size:
        assert MEASURES["AUC"].signed(values, truth).item() == pytest.approx(auc(values[0], truth[0]) - 0.5, abs=1e-5)


@given(st.lists(SMALL, min_size=1, max_size=40))
def test_equal_values_share_the_mean_of_their_ranks(numbers: list[float]) -> None:
    values = np.array([numbers], np.float16)
    ranks = [(values < value).sum() + ((values == value).sum() + 1) / 2 for value in values[0]]
    np.testing.assert_allclose(centered_ranks(values)[0], np.array(ranks) - (len(numbers) + 1) / 2)


def test_r_squared_is_that_of_the_line_through_the_first_half() -> None:
    measure, x = MEASURES["R squared"], np.arange(20, dtype=np.float16)[None]
    exact = 3 - 2 * x.astype(np.float32)
    assert measure.scores(x, exact, 10) == pytest.approx((1, 1))
    turned = np.concatenate([exact[:, :10], -exact[:, 10:]], axis=1)
    chosen, second = measure.scores(x, turned, 10)
    assert chosen == pytest.approx(1) and second < 0
    assert measure.signed(x, exact).item() == pytest.approx(-1)


def test_a_cell_that_never_changes_agrees_with_nothing() -> None:
    still, truth = np.full((1, 8), 0.3, np.float16), np.array([[0, 1] * 4], np.float32)
    assert MEASURES["AUC"].scores(still, truth, 4) == (0.5, 0.5)
    assert MEASURES["R squared"].scores(still, truth, 4) == pytest.approx((0, 0))
