import json

from charrnn_cli.generation.surprisal import TokenSurprisal
from charrnn_cli.terminal.surprisals import print_json_rows, print_table

ROWS = [
    TokenSurprisal(1, 1, "\\", 0.12345, 2.0, 1, False),
    TokenSurprisal(1, 2, "\t", 10.0, 2.5, 12, True),
    TokenSurprisal(2, 1, "\x1bé\n", 0.0, 0.0, 3, False),
]


def test_a_table_has_a_header_and_a_line_for_each_row_whatever_its_characters(capsys):
    print_table(iter(ROWS))
    assert capsys.readouterr().out.splitlines() == [
        "line\tposition\ttoken\tsurprisal\tentropy\trank\tunknown",
        "1\t1\t\\\\\t0.1235\t2.0000\t1\t0",
        "1\t2\t\\t\t10.0000\t2.5000\t12\t1",
        "2\t1\t\\x1bé\\n\t0.0000\t0.0000\t3\t0",
    ]


def test_json_has_the_same_in_full(capsys):
    print_json_rows(iter(ROWS))
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [TokenSurprisal(**record) for record in records] == ROWS
