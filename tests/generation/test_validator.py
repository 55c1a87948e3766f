import shlex
import sys
from pathlib import Path

import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.generation import validator
from charrnn_cli.generation.validator import Validator


def python(code: str) -> str:
    return shlex.join([sys.executable, "-S", "-c", code])


def test_a_command_accepts_a_text_by_its_exit_code(capfd):
    checks = Validator(python("import sys; print('noise'); sys.exit('a' not in sys.stdin.read())"))
    assert [checks.accepts(text) for text in ("far", "near", "no")] == [True, True, False]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("text", "read"), [("a", b"a\n"), ("a\n", b"a\n"), ("é\udcff", b"\xc3\xa9?\n")])
def test_the_command_reads_the_text_as_it_is_printed(folder, text, read):
    assert Validator(python("import sys; open('read', 'wb').write(sys.stdin.buffer.read())")).accepts(text)
    assert Path("read").read_bytes() == read


def test_a_command_may_end_without_reading():
    assert Validator(python("")).accepts("a" * 1_000_000)


def test_a_command_that_does_not_end_refuses(monkeypatch):
    monkeypatch.setattr(validator, "VALIDATE_SECONDS", 0.2)
    assert not Validator(python("import time; time.sleep(60)")).accepts("a")


@pytest.mark.parametrize("command", ["no-such-command -x", "'", " ", "./nowhere"])
def test_a_command_that_is_not_there_is_an_error(command):
    with pytest.raises(UsageError, match=r"`validate` .* (was not found|is not a command)"):
        Validator(command)


def test_a_file_that_is_not_a_program_is_an_error(folder):
    (folder / "data").write_bytes(b"\0\1\2")
    (folder / "data").chmod(0o755)
    with pytest.raises(UsageError, match="cannot be run: "):
        Validator("./data").accepts("a")
