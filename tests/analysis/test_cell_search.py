import numpy as np

from charrnn_cli.analysis.cell_search import SHIFTS, search, with_controls


def runs(rng: np.random.Generator, tokens: int) -> np.ndarray:
    """A hypothesis that is true in runs, as quotations are."""
    return (np.cumsum(rng.random(tokens) < 0.05) % 2).astype(np.float32)


def test_the_planted_cell_is_found_and_beats_its_controls() -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(200, 4000)).astype(np.float16)
    quotes, place = runs(rng, 4000), np.arange(4000, dtype=np.float32) % 70
    cells[17] += (-3 * quotes).astype(np.float16)
    cells[170] += (place / 10).astype(np.float16)
    first, second = search(cells, [quotes, place], ["AUC", "R squared"])
    assert (first.match.cell, first.match.sign) == (17, -1) and first.match.score > 0.95 > 0.6 > first.control
    assert (second.match.cell, second.match.sign) == (170, 1) and second.match.score > 0.7 > 0.1 > second.control


def test_the_best_of_many_cells_looks_good_where_it_was_chosen_but_not_elsewhere() -> None:
    rng = np.random.default_rng(1)
    cells = np.cumsum(rng.normal(size=(500, 1000)), axis=1).astype(np.float16)  # slow, as cells are
    candidate = search(cells, [runs(rng, 1000)], ["AUC"])[0]
    assert candidate.match.chosen_score > 0.8 and candidate.chosen_control > 0.8
    assert candidate.match.score - candidate.control < 0.2


def test_a_control_is_true_as_often_in_each_half() -> None:
    truth = runs(np.random.default_rng(2), 1001)
    rows = with_controls(truth, 500)
    assert rows.shape == (1 + SHIFTS, 1001) and (rows[0] == truth).all()
    for row in rows[1:]:
        assert (row != truth).any()
        assert row[:500].sum() == truth[:500].sum() and row[500:].sum() == truth[500:].sum()
