import json
import random
from pathlib import Path

from support import TEXT, charrnn

from charrnn_cli.runs.folders import Run


def lines_of_any_length() -> str:
    draw = random.Random(0)
    words = TEXT.split()
    return "".join(" ".join(words[: draw.randrange(1, 12)]) + "\n" for _ in range(120))


def test_visualize_finds_shows_and_writes(folder: Path, trained: Run) -> None:
    (folder / "more.txt").write_text(lines_of_any_length(), "utf-8")
    shown = charrnn("visualize", "fox", "more.txt", "--save", "--output", "report.html")
    assert shown.exit_code == 0, shown.stderr
    assert "line-position" in shown.stdout and trained.cells.is_file()
    assert "<html" in (folder / "report.html").read_text("utf-8")
    assert charrnn("info", "fox", "--verify").exit_code == 0
    record = json.loads(charrnn("visualize", "fox", "more.txt", "--json").stdout)
    assert record["cells"] and record["text"]["name"] == "more.txt"
    one = charrnn("visualize", "fox", "more.txt", "--cell", "h:1:3", "--length", "40")
    assert one.stdout.startswith("cell h:1:3") and "The" in one.stdout
    assert charrnn("visualize", "fox", "more.txt", "--cell", record["cells"][0]["name"]).exit_code == 0


def test_a_model_without_text_says_what_to_type() -> None:
    result = charrnn("visualize", "anna")
    assert result.exit_code == 1 and "charrnn visualize anna FILE.txt" in result.stderr


def test_options_that_contradict_each_other_are_an_error(fox: Run) -> None:
    for options in (("--cell", "1:1", "--save"), ("--cell", "1:1", "--output", "a.html")):
        assert charrnn("visualize", "anna", "a.txt", *options).exit_code == 2
