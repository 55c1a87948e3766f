import shutil

import pytest
from support import charrnn, train_small


def test_a_run_is_drawn(fox):
    train_small(fox, steps=400)
    chart = charrnn("plot").stdout
    assert "fox train" in chart
    assert "\x1b" not in chart  # no terminal, no colours
    assert charrnn("plot", "fox", "--over", "time", "--unit", "perplexity").exit_code == 0


def test_several_runs_in_one_picture(fox):
    pytest.importorskip("matplotlib")
    train_small(fox)
    shutil.copytree(fox.folder, fox.folder.with_name("hen"))
    assert "fox, hen" in charrnn("plot", "fox", "hen", "--output", "both.png").stdout
    assert fox.folder.parent.with_name("both.png").stat().st_size > 1000


def test_what_cannot_be_drawn(fox):
    untrained = charrnn("plot", "fox")
    assert (untrained.exit_code, "charrnn train fox" in untrained.stderr) == (1, True)
    train_small(fox)
    assert charrnn("plot", "fox", "--output", "notes.txt").exit_code == 2
    assert charrnn("plot", "wolf").exit_code == 1
