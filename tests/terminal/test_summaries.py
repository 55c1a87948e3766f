import pytest
from support import TEXT, prepare_text

from charrnn_cli.config import PrepareSettings
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.preparation import Prepared
from charrnn_cli.terminal.summaries import preparation_summary, skipped_in_words
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary


def summary(folder, text: str, **settings) -> dict[str, str]:
    run = prepare_text(folder, text, PrepareSettings(**settings))
    prepared = Prepared(run, Vocabulary.load(run.vocabulary), Corpus(run.corpus).info, unchanged=False)
    return dict(line.split(None, 1) for line in preparation_summary(prepared).splitlines())


def test_the_summary_of_characters(folder):
    rows = summary(folder, TEXT)
    assert list(rows) == ["files", "characters", "distinct", "train", "valid", "test", "rarest", "on"]
    assert rows["characters"] == f"{len(TEXT):,}"


def test_the_summary_of_words_with_a_limit(folder):
    rows = summary(folder, "a a a b c\n" * 30, level="word", vocab_size=3)
    assert (rows["words"], rows["distinct"], rows["vocabulary"]) == ("180", "4", "3")
    assert rows["unknown"] == "60 words (33.333%) are <unk>"


@pytest.mark.parametrize(("min_count", "end"), [(1, ", all are kept"), (2, "")])
def test_a_limit_that_is_larger_than_the_text_needs(folder, min_count, end):
    rows = summary(folder, "a b c\n" * 30, level="word", vocab_size=9, min_count=min_count)
    assert rows["vocabulary"] == f"4: the text has fewer than 9 different words{end}"


def test_subwords_that_are_never_used_still_count_as_vocabulary(folder):
    rows = summary(folder, "abab ab\n" * 30, level="subword", vocab_size=9)
    assert rows["vocabulary"] == "7"  # " ", a, b, a line break, ab, abab and " ab"
    assert rows["distinct"] == "3"  # abab, " ab" and a line break


def test_checkpoints_do_not_count_as_prepared_text(folder):
    before = summary(folder, TEXT)["on"]
    checkpoint = Run(folder / "runs" / "fox").checkpoint(5)
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(bytes(10**6))
    assert summary(folder, TEXT)["on"] == before


def test_spaces_and_control_characters_are_shown_by_name(folder):
    rows = summary(folder, "a \n\x1b" * 30)
    assert rows["rarest"].split("  ") == ["\\n 30", "\\x1b 30", "space 30", "a 30"]


def test_skipped_files_are_named_in_one_line():
    assert skipped_in_words(["a.md"]).startswith("Skipped 1 file in folders: a.md. ")
    assert skipped_in_words([f"{k}.md" for k in range(1234)]).startswith(
        "Skipped 1,234 files in folders: 0.md, 1.md, 2.md and 1,231 more. "
    )
