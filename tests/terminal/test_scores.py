import json
from pathlib import Path

import pytest

from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.results import LineScore, TextScore, TokenScore
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import Summary
from charrnn_cli.terminal.scores import line_in_words, print_json, print_score
from charrnn_cli.text.vocabulary import Vocabulary

LINES = [LineScore(1, 0.7, 1.0, 2.0, 4, "a\x1bbc"), LineScore(2, 1.4, 2.0, 4000.0, 1, "")]
SCORE = TextScore(1.0, 1.5, 2.7183, 2000, 4000, 3, "torch", "CPU, 2 threads", 0.5, LINES, (TokenScore("a", -1.0),))
STORED = StoredModel(
    ModelSettings(), Vocabulary("char", ("a",)), {}, Summary(1200, 1.0, 1.0, 1.0, 1.0, "2020"), PrepareSettings()
)
MODEL = Model(Run(Path("runs/novel")), STORED)


def test_the_score_of_a_text_goes_to_stdout(capsys):
    print_score(MODEL, "letter.txt", SCORE, per_line=False)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "model       novel (runs/novel), step 1,200",
        "text        letter.txt",
        "loss        1.0000 nats per token",
        "bits        1.5000 per character",
        "perplexity  2.718 per token",
        "tokens      2,000 (4,000 characters)",
        "unknown     3",
        "time        0.5 s, 4,000 tokens/s by torch on the CPU, 2 threads",
    ]


def test_lines_go_to_stdout_and_the_score_of_the_text_to_stderr(capsys):
    print_score(MODEL, "letter.txt", SCORE, per_line=True)
    out, err = capsys.readouterr()
    assert out == line_in_words(LINES[0]) + "\n"
    assert out == "  1.000        2.00       1  a\\x1bbc\n"
    assert "2.718 per token" in err


@pytest.mark.parametrize("per_line", [True, False])
def test_json_has_lines_only_if_asked_for(capsys, per_line):
    print_json(MODEL, "letter.txt", True, SCORE, per_line)
    record = json.loads(capsys.readouterr().out)
    assert (record["model"], record["step"], record["exact"], record["tokens"]) == ("novel", 1200, True, 2000)
    assert (record["lines"] is not None) == per_line
    assert "scores" not in record
