import io
import json
import math

import pytest
from rich.console import Console
from support import TEXT, charrnn, prepare_text, train_small

from charrnn_cli.config import PrepareSettings
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.terminal import bars, console
from charrnn_cli.terminal.bars import WorkBar


def facts(result) -> dict[str, str]:
    return dict(line.split(None, 1) for line in result.stdout.splitlines())


def test_the_test_split_of_the_last_run_is_scored(trained):
    result = charrnn("evaluate")
    assert (result.exit_code, result.stderr) == (0, "")
    found = facts(result)
    assert found["text"] == "test split of runs/fox"
    assert found["tokens"] == "85 (85 characters)"
    assert found["unknown"] == "0"
    loss = float(found["loss"].split()[0])
    assert float(found["bits"].split()[0]) == pytest.approx(loss / math.log(2), abs=1e-3)
    assert float(found["perplexity"].split()[0]) == pytest.approx(math.exp(loss), rel=1e-3)


def test_a_file_standard_input_and_a_split_with_the_same_text_score_the_same(trained, folder):
    (folder / "end.txt").write_text(TEXT[-86:])
    from_split = json.loads(charrnn("evaluate", "--json").stdout)
    for result in (
        charrnn("evaluate", "end.txt", "--json"),
        charrnn("evaluate", "-", "--json", stdin=TEXT[-86:].encode()),
    ):
        record = json.loads(result.stdout)
        for key in ("loss", "bits_per_character", "perplexity", "tokens", "characters", "unknown"):
            assert record[key] == from_split[key]


def test_json_has_the_whole_result(trained):
    record = json.loads(charrnn("evaluate", "--json", "--exact", "--split", "valid").stdout)
    assert record["exact"] is True
    assert record["text"] == "valid split of runs/fox"
    assert record["lines"] is None
    assert record["step"] > 0
    assert record["seconds"] > 0


def test_a_model_can_learn_from_the_text_while_it_reads(trained, folder):
    (folder / "long.txt").write_text(TEXT[:86] * 6)
    plain, adapted = charrnn("evaluate", "long.txt"), charrnn("evaluate", "long.txt", "--adapt")
    assert facts(adapted)["loss"] < facts(plain)["loss"]
    assert facts(adapted)["model"].endswith(", adapted to the text")
    assert json.loads(charrnn("evaluate", "long.txt", "--adapt", "--json").stdout)["adapted"] is True
    rows = [charrnn("evaluate", "long.txt", "--per-token", *more).stdout.splitlines() for more in ([], ["--adapt"])]
    assert rows[0][1:65] == rows[1][1:65]  # nothing is learned before the first segment ends
    assert rows[0][66:] != rows[1][66:]
    refused = charrnn("evaluate", "long.txt", "--adapt", "--engine", "numpy")
    assert (refused.exit_code, "--engine torch" in refused.stderr) == (2, True)


def test_a_score_on_the_text_that_a_model_was_calibrated_on_says_so(trained, monkeypatch):
    for calibrated, note in ((False, ""), (True, ", on which the model was calibrated")):
        monkeypatch.setattr(StoredModel, "calibrated", calibrated)
        assert facts(charrnn("evaluate", "--split", "valid"))["text"] == f"valid split of runs/fox{note}"
    assert facts(charrnn("evaluate"))["text"] == "test split of runs/fox"


def test_the_score_per_line_shows_the_unusual_line(trained, folder):
    odd = "xqzjk vwpqx zzkqj!"
    (folder / "lines.txt").write_text(TEXT[:172] + odd + "\n" + TEXT[:86] + "\n\n")
    result = charrnn("evaluate", "lines.txt", "--per-line")
    rows = [line.split(None, 3) for line in result.stdout.splitlines()]
    assert [int(row[2]) for row in rows] == list(range(1, len(rows) + 1))
    assert max(rows, key=lambda row: float(row[0]))[3] == odd
    assert "perplexity" in result.stderr
    record = json.loads(charrnn("evaluate", "lines.txt", "--per-line", "--json").stdout)
    lines = record["lines"]
    assert sum(line["tokens"] for line in lines) == record["tokens"]
    assert sum(line["tokens"] * line["loss"] for line in lines) == pytest.approx(record["tokens"] * record["loss"])


def test_words_are_scored_in_bits_over_their_characters(folder):
    run = prepare_text(folder, TEXT, PrepareSettings(level="word"), name="words")
    train_small(run)
    (folder / "some.txt").write_text(TEXT[:86])
    record = json.loads(charrnn("evaluate", "some.txt", "--json").stdout)
    nats = record["loss"] * record["tokens"]
    assert record["tokens"] == 20
    assert record["characters"] == 86 - len("The")
    assert record["bits_per_character"] == pytest.approx(nats / math.log(2) / record["characters"])


def test_unknown_tokens_are_an_error_or_skipped_or_counted_as_unk(trained, folder):
    (folder / "new.txt").write_text("The Ωuick fox?")
    refused = charrnn("evaluate", "new.txt")
    assert refused.exit_code == 1
    assert "does not know these parts of the text: 'Ω', '?'" in refused.stderr
    assert "--unknown skip" in refused.stderr
    record = json.loads(charrnn("evaluate", "new.txt", "--unknown", "skip", "--json").stdout)
    assert (record["tokens"], record["unknown"]) == (11, 2)
    run = prepare_text(folder, TEXT, PrepareSettings(min_count=21), name="rare")
    train_small(run)
    record = json.loads(charrnn("evaluate", "new.txt", "--json").stdout)
    assert (record["tokens"], record["unknown"]) == (13, 3)  # T is rare too


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "anna"], 1, "anna comes without its training text"),
        (["fox.txt", "--split", "test"], 2, "but files are named too"),
        (["nowhere.txt"], 1, "no such file: nowhere.txt"),
        (["one.txt"], 1, "the text has only one token"),
        (["empty.txt"], 1, "the text has no token"),
        (["--checkpoint", "999"], 2, "--checkpoint 999"),
        (["--model", "anna", "--checkpoint", "first"], 2, "anna has no checkpoints. Leave out --checkpoint"),
        (["--split", "middle"], 2, "middle"),
        (["fox.txt", "--encoding", "nonsense"], 2, "nonsense"),
    ],
)
def test_what_cannot_be_scored_is_an_error(trained, folder, arguments, code, message):
    (folder / "one.txt").write_text("T")
    (folder / "empty.txt").write_text("")
    result = charrnn("evaluate", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_a_run_without_a_test_split_is_an_error(folder):
    run = prepare_text(folder, TEXT, PrepareSettings(test=0), name="whole")
    train_small(run)
    result = charrnn("evaluate")
    assert result.exit_code == 1
    assert "whole has no test split" in result.stderr


@pytest.mark.parametrize(("engine", "tolerance"), [("numpy", 1e-5), ("onnx", 0.02)])
def test_the_engines_for_writing_give_the_same_score(trained, engine, tolerance):
    loss = json.loads(charrnn("evaluate", "--json").stdout)["loss"]
    record = json.loads(charrnn("evaluate", "--json", "--engine", engine).stdout)
    assert record["loss"] == pytest.approx(loss, abs=tolerance)
    lines = json.loads(charrnn("evaluate", "--json", "--per-line", "--engine", engine).stdout)["lines"]
    assert sum(line["loss"] * line["tokens"] for line in lines) / 85 == pytest.approx(record["loss"], abs=1e-5)
    refused = charrnn("evaluate", "--engine", engine, "--gpu")
    assert (refused.exit_code, refused.stdout) == (2, "")


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("kind", ["line", "record", "file"])
def test_a_file_of_documents_scores_the_same_as_a_split_with_that_text(folder, level, kind):
    lines = TEXT.splitlines()
    parts = {"train": lines[:20], "valid": lines[20:30], "test": lines[30:]}
    for name, documents in parts.items():
        text = "".join(f"{line}\n" for line in documents)
        records = "".join(json.dumps({"text": line}) + "\n" for line in documents)
        (folder / f"{name}.jsonl").write_text(records) if kind == "record" else (folder / f"{name}.txt").write_text(
            text
        )
    ending = "jsonl" if kind == "record" else "txt"
    files = [f"train.{ending}", "--valid-file", f"valid.{ending}", "--test-file", f"test.{ending}"]
    prepared = charrnn("prepare", *files, "--level", level, "--documents", kind, "--name", "documents")
    assert prepared.exit_code == 0, prepared.stderr
    train_small(Run(folder / "runs" / "documents"))
    split = json.loads(charrnn("evaluate", "--split", "test", "--json").stdout)
    file = json.loads(charrnn("evaluate", f"test.{ending}", "--json").stdout)
    for key in ("loss", "perplexity", "bits_per_character", "tokens", "characters", "unknown"):
        assert file[key] == split[key]


def test_documents_and_field_say_how_files_are_read(trained, folder):
    (folder / "some.txt").write_text("The quick fox.\n")
    (folder / "records").write_text('{"poem": "The quick fox."}\n')
    plain = json.loads(charrnn("evaluate", "some.txt", "--json").stdout)
    assert json.loads(charrnn("evaluate", "records", "--field", "poem", "--json").stdout)["loss"] == plain["loss"]
    refused = charrnn("evaluate", "--documents", "line")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--documents" in refused.stderr


def test_json_lines_score_like_the_split_that_they_were(folder):
    lines = [line for line in TEXT.splitlines() if line]
    for name, part in (("train", lines[:30]), ("test", lines[30:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"title": "a", "body": line}) + "\n" for line in part))
    files = ["train.jsonl", "--valid-file", "test.jsonl", "--name", "records"]
    assert charrnn("prepare", *files, "--field", "body").exit_code == 0
    train_small(Run(folder / "runs" / "records"))
    split = json.loads(charrnn("evaluate", "--split", "valid", "--json").stdout)
    file = json.loads(charrnn("evaluate", "test.jsonl", "--json").stdout)
    for key in ("loss", "bits_per_character", "tokens", "characters", "unknown"):
        assert file[key] == split[key]


@pytest.mark.parametrize("engine", ["torch", "numpy", "onnx"])
def test_scoring_shows_a_progress_bar_on_a_terminal(trained, monkeypatch, engine):
    shown: list[tuple[str, float, float]] = []
    screen = Console(file=io.StringIO(), force_terminal=True)
    show = WorkBar.show

    def noted(bar, *progress):
        shown.append(progress)
        show(bar, *progress)

    monkeypatch.setattr(WorkBar, "show", noted)
    monkeypatch.setattr(bars, "BAR_AFTER", 0.0)
    monkeypatch.setattr(console, "new_console", lambda: screen)
    result = charrnn("evaluate", "fox.txt", "--engine", engine)
    assert result.exit_code == 0
    assert {doing for doing, _, _ in shown} == {"scoring"}
    shares = [done / total for _, done, total in shown]
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert "scoring" in screen.file.getvalue()
    monkeypatch.setattr(bars, "BAR_AFTER", 600.0)
    screen.file = io.StringIO()
    charrnn("evaluate", "fox.txt", "--engine", engine)
    assert screen.file.getvalue() == ""


def test_surprisals_are_a_table_or_json_from_a_file_standard_input_or_a_split(trained, folder):
    (folder / "end.txt").write_text(TEXT[-86:])
    table = charrnn("evaluate", "end.txt", "--per-token")
    assert (table.exit_code, table.stderr) == (0, "")
    header, *rows = [line.split("\t") for line in table.stdout.splitlines()]
    assert header == ["line", "position", "token", "surprisal", "entropy", "rank", "unknown"]
    assert len(rows) == 86
    assert charrnn("evaluate", "-", "--per-token", stdin=TEXT[-86:].encode()).stdout == table.stdout
    assert charrnn("evaluate", "--per-token").stdout == table.stdout
    words = [json.loads(line) for line in charrnn("evaluate", "end.txt", "--per-word", "--json").stdout.splitlines()]
    assert [word["word"] for word in words] == TEXT[-86:].split()
    assert [word["line"] for word in words if word["position"] == 1] == list(range(1, len(TEXT[-86:].splitlines()) + 1))


def test_only_one_kind_of_rows_is_printed(trained):
    refused = charrnn("evaluate", "fox.txt", "--per-token", "--per-word")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--per-token and --per-word" in refused.stderr
