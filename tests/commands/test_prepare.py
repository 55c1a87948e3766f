import json
import subprocess
import sys
from typing import get_args

import pytest
from support import TEXT, charrnn

from charrnn_cli.config import Level
from charrnn_cli.runs.folders import RUNS
from charrnn_cli.text.corpus import Corpus


def test_the_summary_shows_sizes_and_the_next_command(folder):
    (folder / "fox.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    result = charrnn("prepare", "fox.txt")
    assert (result.exit_code, result.stdout) == (0, "")
    facts = dict(line.split(None, 1) for line in result.stderr.splitlines())
    assert facts["files"] == "1"
    assert facts["characters"] == "1,720"
    assert facts["distinct"] == str(len(set(TEXT)))
    assert [facts[split] for split in ("train", "valid", "test")] == ["1,548", "86", "86"]
    assert len(facts["rarest"].split()) == 20
    assert facts["Next:"] == "charrnn train fox"
    assert {path.name for path in (RUNS / "fox").rglob("*")} == {
        "vocabulary.json", "corpus", "corpus.json", "train.bin", "valid.bin", "test.bin"
    }  # fmt: skip


def test_the_same_text_and_another_one(folder):
    (folder / "fox.txt").write_text(TEXT)
    charrnn("prepare", "fox.txt")
    again = charrnn("prepare", "fox.txt")
    assert (again.exit_code, again.stderr.splitlines()[0]) == (
        0,
        "runs/fox is already prepared from the same text. Nothing was changed.",
    )
    (folder / "fox.txt").write_text(TEXT + "!")
    other = charrnn("prepare", "fox.txt")
    assert other.exit_code == 1
    assert "--force" in other.stderr
    assert "--name" in other.stderr
    assert charrnn("prepare", "fox.txt", "--force").exit_code == 0
    assert charrnn("prepare", "fox.txt", "--name", "second").exit_code == 0


def test_bytes_from_standard_input(folder):
    result = charrnn("prepare", "-", "--level", "byte", "--name", "blob", stdin=bytes(range(256)) * 4)
    assert result.exit_code == 0
    assert "bytes     1,024" in result.stderr
    assert (RUNS / "blob" / "corpus" / "train.bin").stat().st_size == 1024 - 2 * 51


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["novel.txt"], 1, "no such file: novel.txt"),
        (["."], 1, "no .txt file"),
        ([""], 1, "no such file"),
        (["/dev/zero"], 1, "is a device"),
        (["good.dat", "--name", ""], 2, "''"),
        (["empty.dat"], 1, "there is no text in empty.dat"),
        (["short.dat"], 1, "too short"),
        (["latin.dat"], 1, "line 1, byte offset 2"),
        (["nul.dat"], 1, "NUL"),
        (["good.dat", "--valid", "1.5"], 2, "1.5"),
        (["good.dat", "--valid", "0.5", "--test", "0.5"], 2, "must be less than 1"),
        (["good.dat", "--name", "../evil"], 2, "../evil"),
        (["good.dat", "--encoding", "klingon"], 2, "klingon"),
        (["good.dat", "--level", "syllable"], 2, "syllable"),
        (["good.dat", "--min-count", "0"], 2, "--min-count"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(folder, arguments, code, message):
    for name, data in {
        "empty": b"",
        "short": b"ab",
        "latin": b"na\xefve",
        "nul": b"a\0" * 99,
        "good": b"abc" * 99,
    }.items():
        (folder / f"{name}.dat").write_bytes(data)
    result = charrnn("prepare", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not RUNS.exists() or list(RUNS.iterdir()) == []


def test_escapes_in_a_name_do_not_reach_the_terminal(folder):
    (folder / "a\x1b[31m.txt").write_text(TEXT)
    result = charrnn("prepare", "a\x1b[31m.txt")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr


def test_a_full_disk_is_a_clear_error(folder):
    """Files may not grow past 64 kB here, as where a quota ends."""
    (folder / "big.txt").write_text("abcdefgh" * 50_000)
    code = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "import sys\nsys.argv[1:] = ['prepare', 'big.txt']\nfrom charrnn_cli.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(RUNS.iterdir()) == []


def write_split(folder, stem: str = "", **parts: str) -> None:
    folder.mkdir(exist_ok=True)
    for split, text in parts.items():
        (folder / f"{stem}{split}.txt").write_text(text)


SPLIT = {"train": "a b c\n" * 5, "valid": "a b\n" * 3, "test": "c d\n" * 2}


@pytest.mark.parametrize("stem", ["", "ptb."])
def test_a_folder_that_is_already_split(folder, stem):
    write_split(folder / "data", stem, **SPLIT)
    result = charrnn("prepare", "data", "--level", "word", "--split-on", "whitespace")
    assert result.exit_code == 0, result.stderr
    facts = dict(line.split(None, 1) for line in result.stderr.splitlines())
    assert [facts[split] for split in ("train", "valid", "test")] == ["20", "9", "6"]
    assert facts["distinct"] == "4"
    assert facts["unknown"] == "2 words (5.714%) are <unk>"
    assert facts["vocabulary"] == "5"
    assert facts["Next:"] == "charrnn train data"


@pytest.mark.parametrize("level", get_args(Level))
def test_files_for_each_split_can_be_named(folder, level):
    write_split(folder, "mine.", **SPLIT)
    files = ["--train", "mine.train.txt", "--valid-file", "mine.valid.txt", "--test-file", "mine.test.txt"]
    assert charrnn("prepare", *files, "--level", level).exit_code == 0
    info = Corpus((RUNS / "mine") / "corpus").info
    if level in ("char", "byte"):
        assert info.tokens == {split: len(text) for split, text in SPLIT.items()}
    as_argument = charrnn("prepare", "mine.train.txt", "--valid-file", "mine.valid.txt", "--level", level, "--force")
    assert as_argument.exit_code == 0
    assert Corpus((RUNS / "mine") / "corpus").info.tokens["test"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["broken"], 1, "the folder broken is already split (ptb.train.txt, ptb.test.txt), but it has no valid.txt"),
        (["twice"], 1, "ptb.char.train.txt and ptb.train.txt"),
        (["good", "--valid", "0.1"], 2, "Leave them out"),
        (["--train", "good/train.txt"], 2, "--train needs a --valid-file"),
        (["good/train.txt", "--train", "good/train.txt"], 2, "named twice"),
        (["good/train.txt", "--test-file", "good/test.txt"], 2, "--test-file needs a --valid-file"),
        (["--train", "good/train.txt", "--valid-file", "./good/train.txt"], 2, "named as train and as valid text"),
        (["good/../good", "--valid-file", "good/valid.txt"], 2, "is already split. Leave out --valid-file"),
        (["--train", "good/train.txt", "--valid-file", "one.txt"], 1, "the valid text is too short: it has 1 char"),
        (["--train", "good/train.txt", "--valid-file", "empty.txt"], 1, "there is no text in empty.txt"),
        ([], 2, "there is no text to prepare"),
        (["good/train.txt", "--split-on", "whitespace"], 2, "Add --level word"),
        (["good/train.txt", "--level", "byte", "--vocab-size", "9"], 2, "--vocab-size 9 does not apply"),
        (["good/train.txt", "--level", "byte", "--lowercase"], 2, "--lowercase does not apply"),
        (["good/train.txt", "--vocab-size", "1"], 2, "--vocab-size must be at least 2"),
    ],
)
def test_splits_and_settings_that_do_not_fit(folder, arguments, code, message):
    write_split(folder / "good", **SPLIT)
    write_split(folder / "broken", "ptb.", train="a b", test="a b")
    write_split(folder / "twice", "ptb.", **SPLIT)
    write_split(folder / "twice", "ptb.char.", train="a _ b")
    (folder / "empty.txt").write_text("")
    (folder / "one.txt").write_text("x")
    result = charrnn("prepare", *arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert not RUNS.exists() or not list(RUNS.iterdir())


def test_words_of_two_files_stay_apart(folder):
    (folder / "a.txt").write_text("to be\nor not")
    (folder / "b.txt").write_text("to be\n")
    charrnn("prepare", "a.txt", "b.txt", "--level", "word", "--split-on", "whitespace", "--valid", "0", "--test", "0")
    vocabulary = json.loads((RUNS / "a" / "vocabulary.json").read_text())["tokens"]
    assert sorted(vocabulary) == ["<eos>", "be", "not", "or", "to"]
    assert Corpus(RUNS / "a" / "corpus").info.tokens["train"] == 9


def test_words_and_the_table_of_punctuation(folder):
    (folder / "play.txt").write_text('ROMEO:\n"Ay me!", she said; (aside) -- what?\n' * 30)
    assert charrnn("prepare", "play.txt", "--level", "word").exit_code == 0
    record = json.loads((RUNS / "play" / "vocabulary.json").read_text("utf-8"))
    assert record["punctuation"]["||Return||"] == "\n"
    assert record["punctuation"]["||Exclamationmark||"] == "!"
    assert {"||Colon||", "||QuotationMark||", "||Dash||", "ROMEO"} <= set(record["tokens"])
    assert charrnn("prepare", "play.txt", "--level", "word", "--lowercase", "--name", "low").exit_code == 0
    assert "romeo" in json.loads((RUNS / "low" / "vocabulary.json").read_text("utf-8"))["tokens"]


@pytest.mark.parametrize("letters", ["abcdefgh", "ahbgcfde"])
def test_a_sorted_list_is_warned_about(folder, letters):
    (folder / "names.txt").write_text("".join(f"{letter}{other}\n" for letter in letters for other in "abcdefgh"))
    done = charrnn("prepare", "names.txt", "--documents", "line")
    assert ("in alphabetical order" in done.stderr) == (letters == "abcdefgh")
    assert done.exit_code == 0


def test_a_vocabulary_that_is_larger_than_the_text_needs_has_all_words(folder):
    (folder / "play.txt").write_text("to be or not to be\n" * 30)
    large = charrnn("prepare", "play.txt", "--level", "word", "--vocab-size", "50000")
    assert large.exit_code == 0
    assert "vocabulary  5: the text has fewer than 50,000 different words, all are kept" in large.stderr
    small = charrnn("prepare", "play.txt", "--level", "word", "--vocab-size", "3", "--name", "small")
    assert "vocabulary  3\n" in small.stderr
    assert "unknown     90 words (42.857%) are <unk>" in small.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "warned"),
    [
        ("天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。\n", ["--level", "word"], True),
        ("天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。\n", ["--level", "char"], False),
        ("天地 玄黄 ， 宇宙 洪荒 。\n", ["--level", "word", "--split-on", "whitespace"], False),
        ("The word 天 means heaven, they said.\n", ["--level", "word"], False),
    ],
)
def test_clauses_that_become_words_are_a_warning(folder, text, arguments, warned):
    (folder / "text.txt").write_text(text * 40)
    result = charrnn("prepare", "text.txt", *arguments)
    assert result.exit_code == 0
    assert ("whole clauses become words" in result.stderr) == warned
    assert ("--level char" in result.stderr) == warned


def test_skipped_files_of_folders_are_named_and_can_be_included(folder):
    for name in ("a.txt", "b.py", "c.py", "d.md", "e.md"):
        (folder / name).write_text(TEXT)
    assert "Skipped 4 files in folders: b.py, c.py, d.md and 1 more." in charrnn("prepare", ".", "--name", "all").stderr
    result = charrnn("prepare", ".", "--include", "*.py", "--include", "d.*", "--name", "more")
    assert "files       4" in result.stderr
    assert (
        "Skipped 1 file in folders: e.md. To read more kinds of files, add for example --include '*.py'."
        in result.stderr
    )
    assert "Skipped" not in charrnn("prepare", "a.txt").stderr
    refused = charrnn("prepare", "a.txt", "--include", "*.py", "--name", "none")
    assert refused.exit_code == 2
    assert "--include adds files of folders" in refused.stderr
    added = charrnn("prepare", ".", "--append", "a", "--include", "*.py")
    assert added.exit_code == 0
    assert "Skipped 2 files" in added.stderr
