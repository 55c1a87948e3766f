import numpy as np

from charrnn_cli.analysis.confusions import Confusion, confusions, shown
from charrnn_cli.text.vocabulary import Vocabulary


def test_confusions_are_counted_by_pair() -> None:
    vocabulary = Vocabulary("char", ("a", "b", "c"))
    ids, predicted = np.array([0, 0, 0, 1, 2], np.int32), np.array([1, 1, 0, 2, 2], np.int32)
    first, second = confusions(ids, predicted, vocabulary)
    assert first == Confusion("a", "b", 2, 2 / 3) and second == Confusion("b", "c", 1, 1.0)
    assert confusions(ids, ids, vocabulary) == []


def test_a_token_is_shown_as_text() -> None:
    assert [shown(Vocabulary("byte", ("41", "c3")), id) for id in range(2)] == ["A", "c3"]
    assert shown(Vocabulary("word", ("||Comma||",), marks={"||Comma||": ","}), 0) == ","
