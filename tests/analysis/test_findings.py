import random

import numpy as np

from charrnn_cli.analysis.addresses import CellGrid
from charrnn_cli.analysis.findings import find_cells, token_truth
from charrnn_cli.analysis.hypotheses import HYPOTHESES

DRAW = random.Random(0)
TEXT = "".join('He said: "' + "far " * DRAW.randrange(1, 9) + '." Then he left.\n' for _ in range(100))
BY_NAME = {one.name: one for one in HYPOTHESES}


def test_a_planted_cell_is_found_and_what_cannot_be_tested_is_named() -> None:
    pieces, grid = list(TEXT), CellGrid(("h", "c"), 1, 10)
    cells = np.random.default_rng(0).normal(size=(20, len(pieces))).astype(np.float16)
    cells[13] -= (5 * token_truth(BY_NAME["quotes"], pieces)).astype(np.float16)
    findings, left_out = find_cells(cells, grid, pieces, "char")
    best, *others = findings
    assert best.hypothesis.name == "quotes" and best.is_clear and len(others) > 5
    assert str(best.address) == "c:1:4" and best.low > -1 > -4 > best.high
    record = best.record()
    assert (record["cell"], record["sign"], record["found"], record["mean"]) == (3, -1, True, None)
    reasons = {one.hypothesis.name: one.reason for one in left_out}
    assert reasons["digits"] == "the same everywhere in this text"
    assert reasons["paragraph"] == "too rare in this text"
    assert len(findings) + len(left_out) == len(HYPOTHESES)


def test_a_hypothesis_about_letters_makes_no_sense_for_words() -> None:
    pieces = ['"', "Far", " away", '"', "\n"] * 400
    findings, left_out = find_cells(np.zeros((1, 2000), np.float16), CellGrid(("h",), 1, 1), pieces, "word")
    assert "quotes" in {one.hypothesis.name for one in findings}
    assert "makes no sense for words" in {one.reason for one in left_out if one.hypothesis.name == "letters"}


def test_a_token_has_what_is_true_after_its_last_character() -> None:
    pieces = ["", "\u00e9", 'a "b', "", '"', "\n"]
    assert token_truth(BY_NAME["quotes"], pieces).tolist() == [0, 0, 1, 1, 0, 0]
    assert token_truth(BY_NAME["line-position"], pieces).tolist() == [1, 1, 5, 5, 6, 0]
