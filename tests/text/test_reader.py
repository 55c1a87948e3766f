import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import charrnn

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import sources
from charrnn_cli.text.reader import document_chunks
from charrnn_cli.text.sources import Source


def read(path, **settings):
    return "".join(text for text, _ in document_chunks(Source(path.name, path), PrepareSettings(**settings)))


@given(st.lists(st.text(st.sampled_from("ab \n\r"), max_size=12), max_size=5), st.integers(1, 5))
def test_lines_are_documents_but_for_empty_ones(tmp_path_factory, lines, size):
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes("\n".join(lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", size)
        found = read(path, documents="line")
    clean = "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    assert found == "".join(f"{line}\0" for line in clean.split("\n") if line)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)), st.integers(1, 9)
)
def test_records_are_documents(tmp_path_factory, texts, size):
    path = tmp_path_factory.getbasetemp() / "data.jsonl"
    path.write_text("\n".join(json.dumps({"id": 1, "text": text, "more": [{}]}) for text in texts), "utf-8")
    clean = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", size)
        assert read(path, documents="record") == "".join(f"{text}\0" for text in clean)
        assert read(path) == "".join(text if text.endswith("\n") else f"{text}\n" for text in clean)


def test_a_file_is_a_document_where_that_is_asked_for(folder):
    (folder / "a.txt").write_text("one\n")
    assert read(folder / "a.txt", documents="file") == "one\n\0"
    assert read(folder / "a.txt") == "one\n"


def test_any_field_of_any_file_packed_or_not(folder):
    for name, pack in (("a.ndjson", bytes), ("a.jsonl.gz", gzip.compress), ("a.log", bytes)):
        (folder / name).write_bytes(pack(b'{"body": "one"}\n\n{"body": "two", "id": 2}\n'))
        assert read(folder / name, field="body") == "one\ntwo\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "x", "id": 1}', r"no text in the field 'text' in line 2.*It has text in: body.*--field body"),
        ('{"text": 5}', "line 2"),
        ("[1]", "line 2"),
        ("no json", "line 2"),
        ('{"text": "a\\u0000b"}', "NUL character in the record of line 2"),
        ('{"text": "\\ud800"}', "line 2"),
    ],
)
def test_a_record_without_text_is_located(folder, line, message):
    (folder / "a.jsonl").write_text(f'{{"text": "x"}}\n{line}\n')
    with pytest.raises(TextError, match=message):
        read(folder / "a.jsonl")


def test_records_where_there_are_none(folder):
    (folder / "a.txt").write_text("one\n")
    with pytest.raises(TextError, match=r"--field text.*--documents line"):
        read(folder / "a.txt", documents="record")
    for flag in ({"documents": "line"}, {"field": "text"}):
        with pytest.raises(UsageError, match="--level byte"):
            PrepareSettings(level="byte", **flag)


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
