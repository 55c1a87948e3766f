import subprocess
import sys

import pytest
from support import TEXT, charrnn

from charrnn_cli.runs import RUNS


def test_the_summary_says_what_was_made_and_what_comes_next(folder):
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


def test_again_and_another_text(folder):
    (folder / "fox.txt").write_text(TEXT)
    charrnn("prepare", "fox.txt")
    again = charrnn("prepare", "fox.txt")
    assert (again.exit_code, again.stderr.splitlines()[0]) == (
        0,
        "runs/fox is prepared already, from the same text: nothing was changed.",
    )
    (folder / "fox.txt").write_text(TEXT + "!")
    other = charrnn("prepare", "fox.txt")
    assert other.exit_code == 1
    assert "--force" in other.stderr
    assert "--name" in other.stderr
    assert charrnn("prepare", "fox.txt", "--force").exit_code == 0
    assert charrnn("prepare", "fox.txt", "--name", "second").exit_code == 0


def test_standard_input_and_bytes(folder):
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
        (["/dev/zero"], 1, "no such file"),
        (["good.dat", "--name", ""], 2, "''"),
        (["empty.dat"], 1, "there is no text in empty.dat"),
        (["short.dat"], 1, "too short"),
        (["latin.dat"], 1, "line 1, byte offset 2"),
        (["nul.dat"], 1, "NUL"),
        (["good.dat", "--valid", "1.5"], 2, "1.5"),
        (["good.dat", "--valid", "0.5", "--test", "0.5"], 2, "below 1"),
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


def test_a_name_with_escapes_does_not_steer_the_terminal(folder):
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
