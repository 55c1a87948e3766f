import json

from support import charrnn

from charrnn_cli.training.presets import AUTO, PRESETS


def test_every_preset_is_listed_with_its_source():
    rows = charrnn("presets").stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [AUTO, *PRESETS]
    assert all("arXiv" in row or "ours" in row for row in rows if row.startswith("ptb"))
    small = next(row for row in rows if row.startswith("ptb-small"))
    assert "LSTM 2 x 200" in small
    assert "13 epochs, batch 20 x 20, SGD 1 (times 0.5 each epoch after 4), clip 5" in small


def test_the_json_has_every_setting():
    records = {record["name"]: record for record in json.loads(charrnn("presets", "--json").stdout)}
    assert set(records) == {AUTO, *PRESETS}
    assert records["ptb-large"]["model"]["hidden"] == 1500
    assert records["ptb-large"]["training"]["epochs"] == 55
