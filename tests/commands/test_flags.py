import pytest

from charrnn_cli.commands.flags import as_flags


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("`top_p` must be in (0, 1], got 3.", "--top-p must be in (0, 1], got 3."),
        ("To start over, pass `restart=True`.", "To start over, pass --restart."),
        ("pass `tie_weights=False`", "pass --no-tie-weights"),
        ("pass `steps=5` or `schedule=epoch-decay`", "pass --steps 5 or --schedule epoch-decay"),
        ("`origin` and `as_json`", "--from and --json"),
        ("`valid` and `test` together", "--valid and --test together"),
        ("Call `charrnn.train('a b')`.", "Type: charrnn train 'a b'"),
        ("No. Call `charrnn.prepare('FILE.txt', name='x y')`.", "No. Type: charrnn prepare FILE.txt --name 'x y'"),
        ("no setting: top_p, ` and ``", "no setting: top_p, ` and ``"),
    ],
)
def test_settings_in_backticks_become_flags(message, typed):
    assert as_flags(message) == typed
