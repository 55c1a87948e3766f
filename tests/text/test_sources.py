import gzip
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import sources
from charrnn_cli.text.formats import zstd
from charrnn_cli.text.sources import Source, find_sources, plain_stem, pre_split, skipped_files


def read(source: Source, chunk: int = sources.CHUNK) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", chunk)
        return b"".join(data for data, _ in source.chunks())


def test_the_bytes_of_a_file_are_unchanged(folder):
    data = bytes(range(256)) + b"\r\n"
    (folder / "data").write_bytes(data)
    assert read(Source("data", folder / "data"), chunk=7) == data


def test_files_keep_their_order_and_folders_are_sorted(folder):
    (folder / "poems" / "old").mkdir(parents=True)
    for name in ("poems/b.txt", "poems/a.txt", "poems/old/c.txt", "poems/notes.md", "z.txt", "a.txt"):
        (folder / name).write_text(name)
    found = find_sources(["z.txt", "poems", "a.txt"], folder)
    assert [source.path.as_posix() for source in found] == [
        "z.txt",
        "poems/a.txt",
        "poems/b.txt",
        "poems/old/c.txt",
        "a.txt",
    ]


def test_standard_input_is_spooled(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\r\n")))
    (source,) = find_sources(["-"], folder)
    assert read(source) == read(source) == b"from a pipe\r\n"


def test_pipes_are_spooled(folder):
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(b"from a fifo"))
    writer.start()
    (source,) = find_sources(["pipe"], folder)
    writer.join()
    assert read(source) == read(source) == b"from a fifo"


def test_standard_input_cannot_be_read_twice(folder):
    with pytest.raises(UsageError, match="named twice"):
        find_sources(["-", "a", "-"], folder)


def test_a_file_that_is_missing_and_a_folder_without_texts(folder):
    with pytest.raises(TextError, match=r"no such file: novel\.txt"):
        find_sources(["novel.txt"], folder)
    (folder / "empty").mkdir()
    with pytest.raises(TextError, match=r"no \.txt file in the folder empty"):
        find_sources(["empty"], folder)
    with zipfile.ZipFile("pictures.zip", "w") as archive:
        archive.writestr("a.png", "")
        archive.writestr("b.png", "")
    with pytest.raises(TextError, match=r"no \.txt or \.jsonl or \.ndjson file in pictures\.zip"):
        find_sources(["pictures.zip"], folder)


def checked(data):
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACKED = {
    "text.txt.gz": gzip.compress,
    "text.zst": checked,
    "two.zst": lambda data: checked(data[:5]) + checked(data[5:]),
    "two.gz": lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_file_is_unpacked(folder, name):
    data = b"Where are the snows?\r\n" * 99
    (folder / name).write_bytes(PACKED[name](data))
    (source,) = find_sources([name], folder)
    assert read(source, chunk=7) == data
    assert sum(size for _, size in source.chunks()) == source.size == (folder / name).stat().st_size


def test_the_texts_of_a_zip_are_read(folder):
    with zipfile.ZipFile("one.zip", "w") as archive:
        archive.writestr("story", "once")
    with zipfile.ZipFile("many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b.txt", "../../a.txt", "picture.png", "c/d.txt"):
            archive.writestr(name, name)
    (source,) = find_sources(["one.zip"], folder)
    assert read(source) == b"once"
    found = find_sources(["many.zip"], folder)
    assert [source.name for source in found] == ["many.zip/../../a.txt", "many.zip/b.txt", "many.zip/c/d.txt"]
    for source in found:
        assert read(source).decode() == source.member
        assert sum(size for _, size in source.chunks()) == source.size


@pytest.mark.parametrize("name", [*PACKED, "text.zip"])
@pytest.mark.parametrize("damage", ["cut", "overwritten", "another"])
def test_a_damaged_file_is_named(folder, name, damage):
    def harmed(data):
        return {"cut": data[:-9], "overwritten": data[:40] + b"\xff" * 9 + data[49:], "another": b"x"}[damage]

    data = bytes(range(256)) * 9
    if name == "text.zip":
        with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("text.txt", data)
        (folder / name).write_bytes(harmed((folder / name).read_bytes()))
    else:
        (folder / name).write_bytes(harmed(PACKED[name](data)))
    with pytest.raises(TextError, match=f"{name}.* cannot be unpacked"):
        [list(source.chunks()) for source in find_sources([name], folder)]


def test_the_compressed_texts_of_a_folder_are_read(folder):
    (folder / "texts").mkdir()
    for name in ("b.txt.gz", "a.txt", "c.txt.zst", "d.gz"):
        (folder / "texts" / name).touch()
    assert [source.path.name for source in find_sources(["texts"], folder)] == ["a.txt", "b.txt.gz", "c.txt.zst"]


@pytest.mark.parametrize("name", ["novel.txt", "novel.txt.gz", "novel.zip", "novel.jsonl.zst", "novel"])
def test_the_stem_of_a_file_is_without_its_endings(name):
    assert plain_stem(Path("texts", name)) == "novel"


def test_the_files_of_a_folder_that_is_already_split(folder):
    assert pre_split(folder) is None
    for name in ("ptb.train.txt", "ptb.test.txt", "ptb.txt"):
        (folder / name).touch()
    with pytest.raises(TextError, match=r"already split \(ptb\.train\.txt, ptb\.test\.txt\).*has no valid\.txt"):
        pre_split(folder)
    (folder / "valid.txt").touch()
    assert pre_split(folder) == {
        split: [str(folder / name)]
        for split, name in (("train", "ptb.train.txt"), ("valid", "valid.txt"), ("test", "ptb.test.txt"))
    }
    (folder / "train.txt").touch()
    with pytest.raises(TextError, match=r"several files for one split: ptb\.train\.txt and train\.txt"):
        pre_split(folder)


def test_the_null_device_is_an_empty_file_and_other_devices_are_refused(folder):
    (source,) = find_sources([os.devnull], folder / "spool")
    assert read(source) == b""
    (folder / "endless").symlink_to("/dev/zero")
    for name in ("/dev/zero", "endless"):
        with pytest.raises(TextError, match=f"{name} is a device or a socket, not a file"):
            find_sources([name], folder / "spool")


SIGNAL_WHILE_WAITING = """
import os, pathlib, signal, sys, threading
from charrnn_cli.cli import main

opened = pathlib.Path.open

def open_and_wait(path, *arguments, **named):
    if path.name == "pipe":
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    return opened(path, *arguments, **named)

pathlib.Path.open = open_and_wait
number = int(sys.argv[1])
sys.argv = ["charrnn", "prepare", "pipe"]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with it ignored
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("writer", [False, True], ids=["no writer", "an idle writer"])
def test_a_signal_ends_a_command_that_waits_for_a_named_pipe(folder, number, writer):
    os.mkfifo(folder / "pipe")
    idle = os.open(folder / "pipe", os.O_RDWR) if writer else None
    done = subprocess.run([sys.executable, "-c", SIGNAL_WHILE_WAITING, str(int(number))], timeout=30)
    assert done.returncode == 128 + number
    assert [path.name for path in folder.iterdir()] == ["pipe"]
    if idle is not None:
        os.close(idle)


def test_patterns_include_more_files_of_folders(folder):
    for name in ("a.txt", "b.py", "c.md", "inside/d.py", "inside/e.pyc", ".hidden/f.py", "g.zip"):
        (folder / "program" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "program" / name).write_text("text")

    def found(*patterns: str) -> tuple[list[str], list[str]]:
        sources = find_sources(["program"], folder, patterns)
        short = [source.name.removeprefix("program/") for source in sources]
        return short, [name.removeprefix("program/") for name in skipped_files(["program", "-"], sources)]

    assert found() == (["a.txt"], ["b.py", "c.md", "g.zip", "inside/d.py", "inside/e.pyc"])
    assert found("*.py") == (["a.txt", "b.py", "inside/d.py"], ["c.md", "g.zip", "inside/e.pyc"])
    assert found("inside/*.py", "*.md") == (["a.txt", "c.md", "inside/d.py"], ["b.py", "g.zip", "inside/e.pyc"])
    assert found("*")[1] == ["g.zip"]
    with pytest.raises(TextError, match=r"no \.txt or \*\.rs file in the folder program/\.hidden.*`include='\*\.md'`"):
        find_sources(["program/.hidden"], folder, ["*.rs"])
