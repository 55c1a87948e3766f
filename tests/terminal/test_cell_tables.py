from pathlib import Path

from support import TEXT

from charrnn_cli.analysis.study import study_text
from charrnn_cli.analysis.visualization import visualize
from charrnn_cli.generation.model import load
from charrnn_cli.terminal.cell_tables import cells_table, times


def test_the_table_names_every_hypothesis(folder: Path, trained) -> None:
    (folder / "more.txt").write_text(TEXT * 3, "utf-8")
    result = visualize(study_text(load(trained), ["more.txt"], limit=5000))
    table = cells_table(result, None)
    named = [one.hypothesis.name for one in result.findings] + [one.hypothesis.name for one in result.left_out]
    assert all(name in table for name in named) and "analysis" in times(result)
    assert all(len(line) <= 60 for line in cells_table(result, 60).splitlines()[1:])
