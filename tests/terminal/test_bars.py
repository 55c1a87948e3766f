import io
from dataclasses import replace

import pytest
from rich.console import Console

from charrnn_cli.terminal import bars
from charrnn_cli.terminal.bars import TrainingBar, WorkBar
from charrnn_cli.terminal.console import new_console
from charrnn_cli.training.events import Report, Validating, Validation

REPORT = Report(
    step=1200,
    epoch=1.5,
    progress=0.25,
    loss=1.25,
    perplexity=3.49,
    rate=0.01,
    skipped=0,
    seconds_per_batch=0.0625,
    tokens_per_second=16_384.0,
    seconds=75.0,
    seconds_left=225.0,
)
VALIDATION = Validation(1200, 1.5, 1.5, 2.164, 4.48, best=True, best_step=1200, seconds=80.0)


def test_without_a_terminal_a_report_is_a_line_at_most_every_few_seconds(capsys):
    with TrainingBar(new_console(), bounded=True, epochs=6, level="char") as bar:
        bar.report(REPORT)
        bar.report(REPORT)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "epoch 1.50/6  step 1,200  loss 1.250  0.062 sec/batch  16,384 tokens/s  25 %  3:45 left"


def test_a_run_without_a_limit_shows_the_time_so_far(capsys):
    with TrainingBar(new_console(), bounded=False, epochs=None, level="word") as bar:
        bar.report(replace(REPORT, progress=None, seconds_left=None))
    assert capsys.readouterr().err.rstrip().endswith("ppl 3.49  0.062 sec/batch  16,384 words/s  1:15 so far")


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ("char", "valid 1.500 (2.164 bpc)"),
        ("byte", "valid 1.500 (2.164 bits per byte)"),
        ("word", "valid ppl 4.48"),
        ("subword", "valid 1.500 (0.866 bpc)"),
    ],
)
def test_a_validation_is_shown_in_the_unit_of_the_level_with_the_preview(capsys, level, text):
    characters = 2.5 if level == "subword" else 1.0
    with TrainingBar(new_console(), True, None, level, characters) as bar:
        bar.validating(Validating(1200, 5000, 79.0))
        bar.validation(VALIDATION, "\nOnce upon\x1b a time\n")
    assert capsys.readouterr().err == f"step 1,200  {text}  best so far\nOnce upon\\x1b a time\n"


def test_a_validation_without_improvement_names_the_step_that_sample_uses(capsys):
    with TrainingBar(new_console(), bounded=True, epochs=None, level="word") as bar:
        bar.validation(replace(VALIDATION, best=False, best_step=1089), None)
        bar.validation(replace(VALIDATION, best=False, best_step=0), None)
    assert capsys.readouterr().err.splitlines() == [
        "step 1,200  valid ppl 4.48  no better since step 1,089; sample uses that one",
        "step 1,200  valid ppl 4.48",
    ]


def test_a_short_work_or_one_without_a_terminal_shows_no_bar(capsys, monkeypatch):
    monkeypatch.setattr(bars, "BAR_AFTER", 0.0)
    with WorkBar(new_console()) as bar:
        bar.show("reading", 1, 2)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_the_bar_shows_the_work(monkeypatch):
    monkeypatch.setattr(bars, "BAR_AFTER", 0.0)
    screen = io.StringIO()
    with WorkBar(Console(file=screen, force_terminal=True, width=80, highlight=False)) as bar:
        bar.show("reading", 1, 2)
        bar.show("reading", 2, 2)
    assert "reading" in screen.getvalue()
    assert "100%" in screen.getvalue()
