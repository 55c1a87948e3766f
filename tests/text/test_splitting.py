import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text import splitting
from charrnn_cli.text.splitting import DocumentEnds, cut_sizes


def ends_of(lengths: list[int], pieces: int = 1) -> DocumentEnds:
    """The ends of documents with these lengths, added in several pieces."""
    ends, start = DocumentEnds(), 0
    for piece in np.array_split(np.array(lengths), pieces):
        ends.add(piece.cumsum(), start)
        start += int(piece.sum())
    return ends


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 5), st.floats(0, 1))
def test_the_nearest_end_is_found(lengths, pieces, share):
    total = sum(lengths)
    position = int(total * share)
    ends = [0, *np.cumsum(lengths).tolist()]
    found = ends_of(lengths, pieces).nearest(position, total)
    assert found in ends
    assert abs(found - position) == min(abs(end - position) for end in ends)


def test_of_very_many_ends_every_second_is_kept(monkeypatch):
    monkeypatch.setattr(splitting, "MAX_KEPT_ENDS", 8)
    found = [[ends_of([10] * 30, pieces).nearest(at, 300) for at in (0, 99, 139, 300)] for pieces in (1, 7, 30)]
    assert found[0] == [0, 80, 120, 300]
    assert found[1:] == [found[0]] * 2


def test_splits_end_where_documents_end():
    ends = ends_of([7, 80, 4, 5, 4])
    assert cut_sizes(100, PrepareSettings(valid=0.05, test=0.05), ends) == {"train": 91, "valid": 5, "test": 4}
    assert cut_sizes(100, PrepareSettings(valid=0, test=0.1), ends) == {"train": 91, "valid": 0, "test": 9}
    assert cut_sizes(100, PrepareSettings(valid=0, test=0), ends) == {"train": 100, "valid": 0, "test": 0}


def test_every_split_gets_a_document_however_small_its_share():
    assert cut_sizes(100, PrepareSettings(), ends_of([20, 20, 20, 20, 20])) == {"train": 60, "valid": 20, "test": 20}
    assert cut_sizes(90, PrepareSettings(test=0), ends_of([30, 30, 30])) == {"train": 60, "valid": 30, "test": 0}
    assert cut_sizes(90, PrepareSettings(), ends_of([30, 30, 30])) == {"train": 30, "valid": 30, "test": 30}


@pytest.mark.parametrize(("tokens", "valid"), [(340, 70), (3_000, 600), (10_000, 1_000), (40_000, 2_000)])
def test_a_short_list_has_more_to_validate_with(tokens, valid):
    ends = ends_of([10] * (tokens // 10))
    assert abs(cut_sizes(tokens, PrepareSettings(), ends)["valid"] - valid) <= 10
    assert cut_sizes(tokens, PrepareSettings(valid=0.05), ends)["valid"] <= tokens // 20 + 10
    assert cut_sizes(tokens, PrepareSettings(), ends, may_be_empty=True)["valid"] <= tokens // 20 + 10


def test_a_text_without_documents_is_cut_at_its_shares():
    assert cut_sizes(99, PrepareSettings()) == {"train": 91, "valid": 4, "test": 4}


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([50, 50], "each split needs one, and there are 2.*`valid=0` and `test=0`"),
        ([100], "each split needs one, and there are 1"),
        ([90, 5, 4, 1], "the text is too short: the test split gets 1 of its 100 characters"),
    ],
)
def test_a_split_without_documents_is_an_error(lengths, message):
    settings = PrepareSettings(test=0.01 if len(lengths) == 4 else None)
    with pytest.raises(TextError, match=message):
        cut_sizes(100, settings, ends_of(lengths))
    assert sum(cut_sizes(100, settings, ends_of(lengths), may_be_empty=True).values()) == 100
