import shutil

import pytest
from support import charrnn, train_small


def test_a_run_is_drawn_in_the_terminal(fox):
    train_small(fox, steps=400)
    chart = charrnn("plot").stdout
    assert "fox train" in chart
    assert "\x1b" not in chart  # colors only in a terminal
    assert charrnn("plot", "fox", "--over", "time", "--unit", "perplexity").exit_code == 0


def test_several_runs_in_one_picture(fox):
    pytest.importorskip("matplotlib")
    train_small(fox)
    shutil.copytree(fox.folder, fox.folder.with_name("hen"))
    assert "fox, hen" in charrnn("plot", "fox", "hen", "--output", "both.png").stdout
    assert fox.folder.parent.with_name("both.png").stat().st_size > 1000


def test_runs_and_files_that_cannot_be_drawn_are_errors(fox):
    untrained = charrnn("plot", "fox")
    assert (untrained.exit_code, "charrnn train fox" in untrained.stderr) == (1, True)
    train_small(fox)
    assert charrnn("plot", "fox", "--output", "notes.txt").exit_code == 2
    assert charrnn("plot", "wolf").exit_code == 1
