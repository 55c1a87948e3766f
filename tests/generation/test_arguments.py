import pytest

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.arguments import MAX_TEXTS, check_single, check_texts, random_seed, sampling_settings


@pytest.mark.parametrize(
    ("num", "best_of", "seed", "message"),
    [
        (0, None, 1, "`num` must be between 1 and 1,000,000, got 0"),
        (MAX_TEXTS + 1, None, 1, "`num`"),
        (3, 2, 1, r"`best_of` must be between `num` \(3\) and 1,000,000, got 2"),
        (1, MAX_TEXTS + 1, 1, "`best_of`"),
        (1, None, -1, "`seed` must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range_are_errors_that_name_the_setting(num, best_of, seed, message):
    with pytest.raises(UsageError, match=message):
        check_texts(num, best_of, seed)


def test_a_call_for_one_text_points_to_the_one_for_several():
    check_single({"lines": 1}, "names", True)
    check_single({"lines": 5}, "novel", False)
    with pytest.raises(UsageError, match="`lines=5` asks names for several texts"):
        check_single({"lines": 5}, "names", True)


def test_lines_without_a_length_set_a_length_that_is_enough():
    assert sampling_settings({"lines": 3}).length == 3000
    assert sampling_settings({"lines": 3, "length": 7}).length == 7
    assert sampling_settings({}) == SamplingSettings()
    assert sampling_settings({"ban": ["a", "b"]}).ban == ("a", "b")


def test_random_seeds_differ():
    assert len({random_seed() for _ in range(5)}) == 5
