import json
from pathlib import Path

import pytest
from support import TEXT, charrnn, train_small

from charrnn_cli.errors import RunError, TextError, UsageError
from charrnn_cli.generation.evaluation import evaluate, evaluate_text
from charrnn_cli.generation.model import load

SAME = ("loss", "bits_per_character", "perplexity", "tokens", "characters", "unknown")


@pytest.fixture
def trained(fox, folder):
    train_small(fox, steps=5)
    (folder / "some.txt").write_text(TEXT[:200])
    return fox


def values(score) -> list[float]:
    return [getattr(score, name) for name in SAME]


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_it_is_what_the_command_computes(trained, engine):
    record = json.loads(charrnn("evaluate", "some.txt", "--engine", engine, "--json").stdout)
    expected = [record[name] for name in SAME]
    assert values(evaluate(files="some.txt", engine=engine)) == expected
    assert values(evaluate("fox", ["some.txt"], engine=engine)) == expected
    assert values(evaluate(trained, ["some.txt"], engine=engine)) == expected
    assert values(evaluate(load(engine=engine), ["some.txt"])) == expected
    assert values(evaluate_text(load(engine=engine), TEXT[:200])) == expected


def test_a_split_is_scored_without_files(trained):
    test, train = evaluate(trained), evaluate(trained, split="train")
    assert values(test) == values(evaluate(trained, split="test")) != values(train)


def test_lines_tokens_and_progress_only_if_asked_for(trained):
    shares: list[float] = []
    plain, by_line = evaluate(trained), evaluate(trained, per_line=True, progress=shares.append)
    assert (plain.lines, plain.scores, by_line.scores) == ([], (), ())
    assert [line.line for line in by_line.lines] == [1, 2][: len(by_line.lines)]
    assert shares[-1] == 1
    scored = evaluate_text(load(trained), "The quick")
    assert [one.token for one in scored.scores] == list("he quick")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"files": "some.txt", "split": "test"}, UsageError, "`split=test` is a part of the run's own text"),
        ({"documents": "line"}, UsageError, "`documents` and `field` say how to read files"),
        ({"split": "middle"}, UsageError, "`split` must be train, valid or test, got 'middle'"),
        ({"unknown": "replace"}, UsageError, "`unknown` must be error or skip"),
        ({"engine": "abc"}, UsageError, "`engine` must be auto"),
        ({"files": 3}, UsageError, "`files` must be a path"),
        ({"engine": "numpy", "gpu": True}, UsageError, "`engine=numpy` computes on the CPU only"),
        ({"model": "anna"}, RunError, "anna comes without its training text"),
    ],
)
def test_mistakes_are_errors(trained, arguments, error, message):
    with pytest.raises(error, match=message):
        evaluate(**arguments)


@pytest.mark.parametrize("option", ["--per-token", "--per-word"])
@pytest.mark.parametrize("adapt", [[], ["--adapt"]], ids=str)
def test_the_surprisals_of_a_text_are_those_of_the_command(trained, option, adapt):
    done = charrnn("evaluate", "some.txt", option, "--json", *adapt)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    model, text = load(engine="torch"), Path("some.txt").read_text()
    surprisals = model.surprisals if option == "--per-token" else model.word_surprisals
    found = surprisals(text, adapt=bool(adapt))
    assert [row._asdict() for row in found] == rows
    with pytest.raises(TextError, match=r"no tokens\. Pass another one\."):
        model.surprisals("")
