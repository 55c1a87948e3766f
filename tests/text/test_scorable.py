import gzip
import json
import unicodedata
from typing import get_args

import numpy as np
import pytest
from support import TEXT, prepare_text

from charrnn_cli.config import Level, PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.runs.preparation import prepare_steps
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.scorable import read_split, read_text
from charrnn_cli.text.sources import Source, find_sources
from charrnn_cli.text.vocabulary import Vocabulary

POEM = 'Zwölf Boxkämpfer "jagen"\nEva:  quer\n\nüber den Sylter Deich'


@pytest.mark.parametrize(
    "settings",
    [{"level": "char"}, {"level": "byte"}, {"level": "word"}, {"level": "word", "split_on": "whitespace"}],
    ids=str,
)
def test_a_text_is_the_same_from_its_file_and_from_its_split(folder, settings):
    prepared = PrepareSettings(valid=0, test=0, **settings)
    run = prepare_text(folder, POEM, prepared)
    vocabulary = Vocabulary.load(run.vocabulary)
    one = read_split(Corpus(run.corpus).split("train"), vocabulary, by_line=True)
    other = read_text([Source("fox.txt", folder / "fox.txt")], vocabulary, prepared, False, by_line=True)
    assert np.array_equal(one.ids, other.ids)
    assert (one.characters, one.unknown, one.lines) == (other.characters, 0, other.lines)
    lines = POEM.split("\n")
    if "split_on" in settings:
        lines = [" ".join(line.split()) for line in lines]
    assert [line.text for line in one.lines] == lines
    assert one.lines[-1].end == len(one.ids)
    ended = 1 if "split_on" in settings else 0
    first = "Zwölf" if settings["level"] == "word" else "Z"
    assert one.characters == len("\n".join(lines)) + ended - len(first)


def test_characters_of_unknown_words_are_counted(folder):
    text = "the cat; the [dog]   ran -- the £ cat\n" * 5
    settings = PrepareSettings(level="word", min_count=5)
    run = prepare_text(folder, "the cat the dog ran the cat\n" * 20 + "odd\n", settings)
    vocabulary = Vocabulary.load(run.vocabulary)
    assert vocabulary.unknown is not None
    (folder / "new.txt").write_text(text)
    reading = read_text([Source("new.txt", folder / "new.txt")], vocabulary, settings, False, by_line=True)
    assert reading.characters == len(text) - len("the")
    assert [line.text for line in reading.lines] == text.splitlines()
    assert reading.lines[0].characters == len("the cat; the [dog]   ran -- the £ cat\n") - len("the")


@pytest.mark.parametrize("level", get_args(Level))
def test_the_characters_of_splits_are_counted_while_a_text_is_prepared(folder, level):
    text = "Ein Öl-Fass, ein „Wort“ -- und\nnoch  eins.\n" * 30
    info = Corpus(prepare_text(folder, text, PrepareSettings(level=level)).corpus).info
    assert sum(info.characters.values()) == len(text)
    vocabulary = Vocabulary.load(folder / "runs" / "fox" / "vocabulary.json")
    reading = read_split(Corpus(folder / "runs" / "fox" / "corpus").split("test"), vocabulary, False)
    known = read_split(Corpus(folder / "runs" / "fox" / "corpus").split("test"), vocabulary, False, 1000)
    assert abs(info.characters["test"] - reading.characters) < 12
    assert 990 < known.characters < 1000


def test_several_files_are_one_text(folder):
    run = prepare_text(folder, TEXT)
    vocabulary = Vocabulary.load(run.vocabulary)
    for name, text in (("a", "The qu"), ("b", "ick fox.")):
        (folder / name).write_text(text)
    reading = read_text(
        [Source(name, folder / name) for name in "ab"], vocabulary, PrepareSettings(), False, by_line=False
    )
    assert "".join(vocabulary.decode(reading.ids.tolist())) == "The quick fox."


def test_too_little_text(folder):
    (folder / "a").write_text("T")
    vocabulary = Vocabulary.load(prepare_text(folder, TEXT).vocabulary)
    with pytest.raises(TextError, match="the text has only one token"):
        read_text([Source("a", folder / "a")], vocabulary, PrepareSettings(), False, by_line=False)


def test_a_text_without_records_is_refused_if_records_are_needed(folder):
    run = prepare_text(folder, TEXT)
    (folder / "a.txt").write_text("The quick")
    settings = PrepareSettings(field="text")
    source = Source("a.txt", folder / "a.txt")
    read_text([source], Vocabulary.load(run.vocabulary), settings, False, by_line=False)
    with pytest.raises(TextError, match="no text in the field 'text' in line 1"):
        read_text([source], Vocabulary.load(run.vocabulary), settings, False, by_line=False, needs_records=True)


TEXTS = {
    "a.txt": "One\r\n\r\ntwo,  three\nfour",
    "b.txt": "five -- six\n",
    "c.jsonl": "\n".join(json.dumps({"text": text}) for text in ("Seven\n", "eight nine", "")),
    "d.log": '{"text": "ten"}\n',
}
LEVELS = [
    {"level": "char"},
    {"level": "char", "lowercase": True, "min_count": 2},
    {"level": "byte"},
    {"level": "word"},
    {"level": "word", "vocab_size": 9},
    {"level": "word", "split_on": "whitespace", "lowercase": True},
]
DOCUMENTS = [
    {},
    {"documents": "file"},
    {"documents": "line"},
    {"documents": "record", "field": "text"},
    {"documents": "line", "field": "text"},
    {"field": "text"},
]


@pytest.mark.parametrize("documents", DOCUMENTS, ids=str)
@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_files_have_the_same_ids_for_scoring_as_for_training(folder, level, documents):
    if level["level"] == "byte" and documents:
        pytest.skip("bytes have no documents")
    for name, text in TEXTS.items():
        (folder / name).write_bytes(text.encode())
    (folder / "e.txt.gz").write_bytes(gzip.compress(b"eleven\ntwelve"))
    names = ["c.jsonl", "d.log"] if "field" in documents else [*TEXTS, "e.txt.gz"]
    settings = PrepareSettings(**level, **documents, valid=0, test=0)
    *_, prepared = prepare_steps(names, settings)
    ids = Corpus(prepared.run.corpus).split("train")
    text = read_text(find_sources(names, folder), prepared.vocabulary, prepared.corpus.settings, False, by_line=True)
    assert text.ids.tolist() == ids.tolist()
    assert text.unknown == prepared.corpus.unknown
    assert text.lines[-1].end == len(ids)


@pytest.mark.parametrize("level", ["char", "word"])
def test_a_decomposed_text_has_the_ids_of_the_composed_one(folder, level):
    settings = PrepareSettings(level=level, valid=0, test=0)
    vocabulary = Vocabulary.load(prepare_text(folder, POEM, settings).vocabulary)
    (folder / "mac.txt").write_text(unicodedata.normalize("NFD", POEM), "utf-8")
    sources = find_sources(["fox.txt"], folder), find_sources(["mac.txt"], folder)
    composed, decomposed = (read_text(files, vocabulary, settings, False, by_line=False) for files in sources)
    assert np.array_equal(composed.ids, decomposed.ids)
    assert (decomposed.characters, decomposed.unknown) == (composed.characters, 0)
