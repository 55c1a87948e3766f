import json
from pathlib import Path

import pytest
from support import TEXT

from charrnn_cli.analysis.study import study_text
from charrnn_cli.analysis.visualization import visualize
from charrnn_cli.errors import TextError
from charrnn_cli.generation.model import load
from charrnn_cli.runs.found_cells import read_cells


def test_the_record_has_everything_and_the_found_cells_are_stored(folder: Path, trained) -> None:
    (folder / "more.txt").write_text(TEXT * 3, "utf-8")
    result = visualize(study_text(load(trained), ["more.txt"], limit=5000))
    record = json.loads(json.dumps(result.record()))
    found = [one for one in record["hypotheses"] if one["found"]]
    assert found and [one["name"] for one in found] == [one["name"] for one in record["cells"]]
    passage = record["passage"]
    sizes = {len(row) for row in (passage["tokens"], passage["bits"], *passage["values"], *passage["truth"])}
    assert len(sizes) == 1 and passage["start"] >= record["half"]
    result.save()
    assert read_cells(trained, record["model"]["sha256"]) == record["cells"]
    assert str(result.address_of(found[0]["name"])) == str(result.found[0].address)
    assert len(result.best_views(2)) == min(2, len(found))
    with pytest.raises(TextError, match="cannot be tested"):
        result.address_of("digits")
