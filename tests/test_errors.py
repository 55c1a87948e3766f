import errno
from pathlib import Path

import pytest

from charrnn_cli.errors import CharrnnError, DiskError, TextError, UsageError, disk_errors


def test_usage_ends_with_2_and_anything_else_with_1():
    assert UsageError.exit_code == 2
    assert {kind.exit_code for kind in CharrnnError.__subclasses__()} == {1, 2}


def test_an_os_error_becomes_a_message_that_names_file_and_reason():
    with pytest.raises(DiskError, match=r"cannot write .*novel.bin: No space left"), disk_errors("write", Path("x")):
        raise OSError(errno.ENOSPC, "No space left on device", "novel.bin")


def test_our_own_errors_pass_through():
    with pytest.raises(TextError, match="as it is"), disk_errors("read", Path("x")):
        raise TextError("as it is")
