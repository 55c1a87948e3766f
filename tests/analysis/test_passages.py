import numpy as np

from charrnn_cli.analysis.passages import line_start, lively_passage


def test_the_passage_is_where_a_hypothesis_changes_most_often() -> None:
    truth = np.zeros(100, np.float32)
    truth[60:70:2] = 1
    part = lively_passage([truth], ["x"] * 100, 50, 20)
    assert part.start >= 50 and part.start <= 60 and part.stop == part.start + 20 >= 70


def test_a_short_text_is_shown_whole() -> None:
    assert lively_passage([], ["x"] * 10, 4, 100) == slice(4, 10)


def test_a_passage_begins_with_its_line() -> None:
    pieces = list("ab\ncdef")
    assert line_start(pieces, 5, 0) == 3
    assert line_start(pieces, 5, 4) == 5
