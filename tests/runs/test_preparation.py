import os
from pathlib import Path

import pytest
from support import TEXT, charrnn, prepare_text, train_small

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import CharrnnError, RunError, TextError, UsageError
from charrnn_cli.runs import preparation
from charrnn_cli.runs.folders import RUNS
from charrnn_cli.runs.preparation import Prepared, append_steps, prepare, prepare_steps
from charrnn_cli.text.corpus import SPLIT_NAMES, Corpus
from charrnn_cli.text.vocabulary import Vocabulary


def everything(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_text_again_changes_nothing(folder, fox):
    before = everything(RUNS)
    *_, again = prepare_steps(["fox.txt"], PrepareSettings())
    assert isinstance(again, Prepared)
    assert again.unchanged
    assert everything(RUNS) == before


@pytest.mark.parametrize("settings", [PrepareSettings(valid=0.1), PrepareSettings(level="byte")])
def test_the_same_text_with_other_settings_is_refused(fox, settings):
    before = everything(RUNS)
    with pytest.raises(RunError, match="`force=True`"):
        list(prepare_steps(["fox.txt"], settings))
    assert everything(RUNS) == before


def test_another_text_is_refused_and_force_replaces_it(folder, fox):
    fox.weights.touch()
    (folder / "fox.txt").write_text(TEXT * 2)
    with pytest.raises(RunError, match="delete its corpus and its trained model, pass `force=True`"):
        list(prepare_steps(["fox.txt"], PrepareSettings()))
    *_, last = prepare_steps(["fox.txt"], PrepareSettings(), force=True)
    assert not last.unchanged
    assert not fox.trained
    assert [path.name for path in RUNS.iterdir()] == ["fox"]


def test_a_damaged_corpus_is_named_and_force_repairs_it(folder, fox):
    for damage in ((fox.corpus / "train.bin"), (fox.corpus / "corpus.json")):
        damage.write_bytes(b"x")
        with pytest.raises(RunError, match=f"{damage.name} is damaged.*`force=True`"):
            list(prepare_steps(["fox.txt"], PrepareSettings()))
        *_, last = prepare_steps(["fox.txt"], PrepareSettings(), force=True)
        assert not last.unchanged
        *_, last = prepare_steps(["fox.txt"], PrepareSettings())
        assert last.unchanged


def test_another_name(folder, fox):
    *_, last = prepare_steps(["fox.txt"], PrepareSettings(valid=0.2), name="other")
    assert last.run.name == "other"


def test_a_text_with_other_line_breaks_is_the_same(folder, fox):
    (folder / "fox.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    *_, last = prepare_steps(["fox.txt"], PrepareSettings())
    assert last.unchanged


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xff", b"nul \0"])
def test_a_text_that_cannot_be_prepared_leaves_nothing(folder, data):
    (folder / "bad.txt").write_bytes(data)
    with pytest.raises(CharrnnError):
        list(prepare_steps(["bad.txt"], PrepareSettings()))
    assert not RUNS.exists()


@pytest.mark.parametrize("stop_at", range(2))
def test_an_interruption_keeps_the_old_run(folder, fox, stop_at):
    before = everything(RUNS)
    (folder / "fox.txt").write_text(TEXT * 3)
    steps = prepare_steps(["fox.txt"], PrepareSettings(), force=True)
    for _ in range(stop_at + 1):
        next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    assert everything(RUNS) == before


def test_a_full_disk_keeps_the_old_run(folder, fox, monkeypatch):
    before = everything(RUNS)
    (folder / "fox.txt").write_text(TEXT * 3)

    def full(*_):
        raise OSError(28, "No space left on device", "train.bin")
        yield

    monkeypatch.setattr(preparation, "write_corpus", full)
    with pytest.raises(CharrnnError, match=r"cannot write train\.bin: No space left"):
        list(prepare_steps(["fox.txt"], PrepareSettings(), force=True))
    assert everything(RUNS) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(folder):
    (folder / "fox.txt").write_text(TEXT)
    folder.chmod(0o500)
    try:
        with pytest.raises(CharrnnError, match="Permission denied"):
            list(prepare_steps(["fox.txt"], PrepareSettings()))
    finally:
        folder.chmod(0o700)


def test_a_file_in_place_of_the_runs_folder(folder):
    RUNS.touch()
    (folder / "fox.txt").write_text(TEXT)
    with pytest.raises(CharrnnError, match="runs"):
        list(prepare_steps(["fox.txt"], PrepareSettings()))


def test_several_files_keep_their_order(folder):
    prepare_text(folder, "first " * 30, name="one")
    (folder / "two.txt").write_text("second " * 30)
    *_, last = prepare_steps(["two.txt", "one.txt"], PrepareSettings())
    assert last.corpus.files == ["two.txt", "one.txt"]
    assert sum(last.corpus.tokens.values()) == 390


def splits(run):
    corpus = Corpus(run.corpus)
    return {name: corpus.split(name).tolist() for name in SPLIT_NAMES}


def appended(name, *arguments, **named):
    *_, last = append_steps([*arguments], name, **named)
    assert isinstance(last, Prepared)
    return last.corpus


def test_an_appended_text_has_the_ids_of_the_run(folder, fox):
    before, vocabulary = splits(fox), fox.vocabulary.read_bytes()
    more = prepare_text(folder, TEXT[::-1][:999], name="more")
    info = appended("fox", "more.txt")
    tokens = Vocabulary.load(fox.vocabulary).tokens
    assert fox.vocabulary.read_bytes() == vocabulary
    theirs, own = splits(more), Vocabulary.load(more.vocabulary).tokens
    for name, ids in splits(fox).items():
        new = [tokens[id] for id in ids[len(before[name]) :]]
        assert ids[: len(before[name])] == before[name]
        assert new == [own[id] for id in theirs[name]]
        assert info.tokens[name] == len(ids)
    assert [Path(file).name for file in info.files] == ["fox.txt", "more.txt"]
    assert sum(count for _, count in info.rarest) > 0
    assert info.rarest == sorted(info.rarest, key=lambda pair: pair[1])
    assert charrnn("info", "fox", "--verify").exit_code == 0


def test_a_trained_run_resumes_with_an_appended_text(folder, fox):
    train_small(fox, 20)
    (folder / "more.txt").write_text(TEXT[:500])
    appended("fox", "more.txt")
    appended("fox", "more.txt")
    assert fox.trained
    result = charrnn("train", "fox", "--cpu", "--no-preview", "--steps", "30")
    assert result.exit_code == 0
    assert "resuming from step 20" in result.stderr
    assert charrnn("train", "fox", "--cpu", "--no-preview", "--steps", "40").exit_code == 0


def test_unknown_tokens_of_an_appended_text_are_refused_or_become_unk(folder, fox):
    (folder / "more.txt").write_text("naïve café " * 30)
    before = everything(RUNS)
    with pytest.raises(TextError, match=r"vocabulary of fox does not have .*: 'é', 'ï'\. It has no <unk>"):
        appended("fox", "more.txt")
    assert everything(RUNS) == before
    prepare_text(folder, f"{TEXT} once", PrepareSettings(level="word", min_count=2), name="words")
    info = appended("words", "more.txt")
    assert info.unknown > 50


def test_one_document_can_be_appended(folder):
    (folder / "poems").mkdir()
    for number in range(20):
        (folder / "poems" / f"{number}.txt").write_text("The fox.\n")
    list(prepare_steps(["poems"], PrepareSettings(documents="file", valid=0.05)))
    (folder / "more.txt").write_text("The fox. The fox.\n")
    info = appended("poems", "more.txt")
    assert info.tokens == {"train": 18 * 10 + 19, "valid": 10, "test": 10}


def test_a_text_with_too_few_documents_leaves_nothing(folder):
    (folder / "poem.txt").write_text(TEXT)
    with pytest.raises(TextError, match="each split needs one, and there are 1"):
        list(prepare_steps(["poem.txt"], PrepareSettings(documents="file")))
    assert not RUNS.exists()


def test_append_takes_no_settings(fox):
    result = charrnn("prepare", "fox.txt", "--append", "fox", "--level", "word")
    assert result.exit_code == 2
    assert "--append fox keeps" in result.stderr
    assert charrnn("prepare", "fox.txt", "--append", "wolf").exit_code == 1


def test_runs_can_be_in_any_folder(folder):
    root = folder / "elsewhere"
    (folder / "fox.txt").write_text(TEXT)
    *_, prepared = prepare_steps(["fox.txt"], PrepareSettings(), root=root)
    assert prepared.run.folder == root / "fox"
    *_, longer = append_steps(["fox.txt"], "fox", root=root)
    assert sum(longer.corpus.tokens.values()) == 2 * len(TEXT)
    assert not RUNS.exists()


@pytest.mark.parametrize(
    "other",
    [
        PrepareSettings(level="word", min_count=2),
        PrepareSettings(level="byte"),
        PrepareSettings(documents="line"),
        PrepareSettings(lowercase=True),
    ],
    ids=lambda settings: f"{settings.level}, {settings.documents}",
)
def test_nothing_is_appended_with_the_vocabulary_of_another_run(folder, fox, other):
    prepare_text(folder, f"{TEXT} once", other, name="other")
    (folder / "more.txt").write_text(TEXT)
    fox.vocabulary.write_bytes((RUNS / "other" / "vocabulary.json").read_bytes())
    before = everything(RUNS)
    with pytest.raises(RunError, match=r"vocabulary\.json is damaged.*`force=True`"):
        appended("fox", "more.txt")
    assert everything(RUNS) == before


def test_prepare_returns_the_run_that_the_steps_end_with(folder):
    (folder / "fox.txt").write_text(TEXT)
    events: list[object] = []
    run = prepare("fox.txt", name="one", level="word", report=events.append)
    *_, last = prepare_steps(["fox.txt"], PrepareSettings(level="word"), "two")
    assert isinstance(events[-1], Prepared)
    assert run == events[-1].run
    assert run.prepared
    assert events[-1].corpus == last.corpus
    assert prepare([folder / "fox.txt"], root=folder / "elsewhere").folder == folder / "elsewhere" / "fox"


def test_prepare_appends_to_a_run(folder):
    (folder / "fox.txt").write_text(TEXT)
    run = prepare("fox.txt")
    before = Corpus(run.corpus).info.tokens["train"]
    assert prepare("fox.txt", append="fox") == run
    assert Corpus(run.corpus).info.tokens["train"] > before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"files": []}, "there is no text to prepare"),
        ({"files": "fox.txt", "levle": "word"}, "`levle` is not a setting of preparing. Did you mean level"),
        ({"files": "fox.txt", "level": "line"}, "`level` must be char, byte, word or subword, got 'line'"),
        ({"files": "fox.txt", "lowercase": "yes"}, "`lowercase` must be True or False, got 'yes'"),
        ({"files": "fox.txt", "report": 3}, "`report` must be a function, got 3"),
        ({"files": "fox.txt", "workers": "2"}, "`workers` must be a whole number, got '2'"),
        ({"files": "fox.txt", "workers": 0}, "`workers` must be at least 1, got 0"),
        ({"files": "fox.txt", "include": 3}, "`include` must be a text or a list of texts, got 3"),
        ({"files": "fox.txt", "append": "fox", "level": "word"}, "`append=fox` keeps the name and the settings"),
    ],
)
def test_mistakes_are_errors_before_anything_is_written(folder, arguments, message):
    (folder / "fox.txt").write_text(TEXT)
    with pytest.raises(UsageError, match=message):
        prepare(**arguments)
    assert not (folder / "runs").exists()
