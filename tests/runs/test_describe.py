import pytest

from charrnn_cli.wording import about, count


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (0.264, "0.26"), (5.62, "5.6"), (9.96, "10"), (35.4, "35"), (108, "110"), (1234, "1,200")],
)
def test_about_says_two_digits_and_no_exponent(amount, text):
    assert about(amount) == text


def test_one_of_a_unit_has_no_s():
    assert [count(amount, "steps") for amount in (0.5, 1, 2000)] == ["0.5 steps", "1 step", "2,000 steps"]
