from pathlib import Path
from typing import get_args

import pytest
from support import TEXT, prepare_text, train_small

from charrnn_cli.analysis.held_out import held_out_split, read_held_out
from charrnn_cli.config import Level, PrepareSettings
from charrnn_cli.errors import RunError, TextError, UsageError
from charrnn_cli.generation.model import load
from charrnn_cli.runs.folders import find_run


@pytest.mark.parametrize("level", get_args(Level))
def test_the_pieces_are_the_text(folder: Path, level: str) -> None:
    run = prepare_text(folder, TEXT, PrepareSettings(level=level))
    train_small(run, 2)
    (folder / "more.txt").write_text(TEXT * 3, "utf-8")
    text = read_held_out(load(run), ["more.txt"], 1200)
    assert len(text.ids) == len(text.pieces) == 1200 and (TEXT * 3).startswith(text.text)


def test_a_text_that_is_too_short_or_missing_is_an_error(fox) -> None:
    train_small(fox, 2)
    with pytest.raises(TextError, match="at least"):
        read_held_out(load(fox), [], 1200)
    with pytest.raises(UsageError, match="encoding"):
        read_held_out(load(fox), [], 1200, encoding="cp1252")
    with pytest.raises(RunError, match=r"charrnn visualize anna FILE\.txt"):
        held_out_split(find_run("anna"))
