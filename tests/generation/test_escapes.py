import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.generation.escapes import unescape


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (r"a\nb", "a\nb"),
        (r"\\n", r"\n"),
        (r"\x41\u00e9\U0001F600", "Aé😀"),
        ("\\t\\\"\\'", "\t\"'"),
        ("plain", "plain"),
    ],
)
def test_an_escape_is_replaced_by_its_character(typed, text):
    assert unescape("prime", typed) == text


@pytest.mark.parametrize("typed", [r"\q", "\\", r"\x4", r"\U00110000"])
def test_an_unknown_escape_is_an_error_that_names_the_setting(typed):
    with pytest.raises(UsageError, match=r"`stop` .* is not an escape"):
        unescape("stop", typed)
