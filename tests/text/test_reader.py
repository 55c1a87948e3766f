import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import charrnn

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import sources
from charrnn_cli.text.reader import (
    chunks_for_model,
    document_chunks,
    read_whole_text,
)
from charrnn_cli.text.sources import Source
from charrnn_cli.text.tokenizer import ByteTokenizer


def read(path, **settings):
    return "".join(text for text, _ in document_chunks(Source(path.name, path), PrepareSettings(**settings)))


@given(st.lists(st.text(st.sampled_from("ab \n\r"), max_size=12), max_size=5), st.integers(1, 5))
def test_lines_are_documents_unless_they_are_empty(tmp_path_factory, lines, size):
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes("\n".join(lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", size)
        found = read(path, documents="line")
    clean = "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    assert found == "".join(f"{line}\0" for line in clean.split("\n") if line)


@pytest.mark.parametrize(("documents", "ends"), [("record", ["\0"] * 3), (None, ["\n", "\n", ""])])
def test_records_are_documents_or_joined_with_line_breaks(folder, documents, ends):
    texts = ["one", "two\r\nlines", "three\n"]
    (folder / "data.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    clean = [text.replace("\r\n", "\n") for text in texts]
    assert read(folder / "data.jsonl", documents=documents) == "".join(map(str.__add__, clean, ends))


def test_a_file_can_be_a_document(folder):
    (folder / "a.txt").write_text("one\n")
    assert read(folder / "a.txt", documents="file") == "one\n\0"
    assert read(folder / "a.txt") == "one\n"


def test_any_field_of_any_file_compressed_or_not(folder):
    for name, pack in (("a.ndjson", bytes), ("a.jsonl.gz", gzip.compress), ("a.log", bytes)):
        (folder / name).write_bytes(pack(b'{"body": "one"}\n\n{"body": "two", "id": 2}\n'))
        assert read(folder / name, field="body") == "one\ntwo\n"


def test_a_file_without_records_has_no_records(folder):
    (folder / "a.txt").write_text("one\n")
    with pytest.raises(TextError, match=r"not a \.jsonl or \.ndjson file.*`field=text`.*`documents=line`"):
        read(folder / "a.txt", documents="record")
    for setting in ({"documents": "line"}, {"field": "text"}):
        with pytest.raises(UsageError, match="`level=byte`"):
            PrepareSettings(level="byte", **setting)


def read_for_model(path, **settings):
    return "".join(text for text, _ in chunks_for_model(Source(path.name, path), PrepareSettings(**settings)))


RECORDS = '{"body": "one"}\n{"body": "two"}\n'


@pytest.mark.parametrize("name", ["a.jsonl", "a.log", "a.txt"])
@pytest.mark.parametrize("documents", [None, "file", "line", "record"])
def test_a_model_reads_its_own_text_as_it_was_prepared(folder, name, documents):
    (folder / name).write_text("\n \n" + RECORDS)
    settings = {"field": "body", "documents": documents}
    assert read_for_model(folder / name, **settings) == read(folder / name, **settings)


def test_a_model_of_records_reads_plain_text_as_one_record(folder):
    (folder / "a.txt").write_text("one\ntwo")
    assert read_for_model(folder / "a.txt", field="body", documents="record") == "one\ntwo\0"
    assert read_for_model(folder / "a.txt", documents="record") == "one\ntwo\0"
    assert read_for_model(folder / "a.txt", field="body") == "one\ntwo"
    assert read_for_model(folder / "a.txt", field="body", documents="line") == "one\0two\0"


@pytest.mark.parametrize(
    ("documents", "text"),
    [(None, "one\ntwo\n"), ("line", "one\0two"), ("file", "one\ntwo\n"), ("record", "one\ntwo\n")],
)
def test_the_last_document_of_a_whole_text_is_open(folder, documents, text):
    settings = PrepareSettings(documents=documents)
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfone\r\ntwo\r\n"))
    assert read_whole_text("a.txt.gz", settings) == text


def test_the_whole_text_of_records(folder):
    (folder / "a.jsonl").write_text(RECORDS)
    assert read_whole_text("a.jsonl", PrepareSettings(field="body")) == "one\ntwo\n"
    assert read_whole_text("a.jsonl", PrepareSettings(field="body", documents="record")) == "one\0two"


def test_the_whole_text_of_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Far")))
    assert read_whole_text("-", PrepareSettings()) == "Far"


def test_the_whole_text_of_bytes_has_all_of_them(folder):
    data = bytes(range(256)) + b"\r\n"
    (folder / "a.txt").write_bytes(data)
    text = read_whole_text("a.txt", PrepareSettings(level="byte"))
    assert bytes.fromhex("".join(ByteTokenizer().split(text))) == data


def test_a_whole_text_in_another_encoding_is_refused(folder):
    (folder / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(TextError, match=r"a\.txt is not utf-8: line 1, byte offset 3 .*Convert it to utf-8"):
        read_whole_text("a.txt", PrepareSettings())


@pytest.mark.parametrize("level", ["char", "word"])
def test_a_model_of_documents_writes_documents(folder, level):
    names = ["Anna", "Bobby Lee", "Christopher Robin", "Dora"]
    shuffled = np.random.default_rng(0).choice(names, 240)
    (folder / "names.txt").write_text("\n".join(shuffled))
    assert charrnn("prepare", "names.txt", "--level", level, "--documents", "line").exit_code == 0
    small = "--hidden 32 --layers 1 --batch-size 4 --seq-length 16 --steps 300 --learning-rate 0.02 --dropout 0"
    assert charrnn("train", "names", "--cpu", "--no-preview", *small.split()).exit_code == 0
    records = charrnn("sample", "--model", "names", "--num", "40", "--json", "--temperature", "0.5").stdout.splitlines()
    samples = [json.loads(record) for record in records]
    assert {sample["stop_reason"] for sample in samples} == {"document"}
    assert {sample["text"] for sample in samples} <= set(names)
    assert len({sample["text"] for sample in samples}) > 1
    lines = charrnn("evaluate", "--model", "names", "--split", "test", "--per-line", "--json").stdout
    assert {line["text"] for line in json.loads(lines)["lines"][1:-1]} <= set(names)
