import numpy as np
import pytest
from support import TEXT, prepare_text

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.scorable import read_split, read_text
from charrnn_cli.text.sources import Source
from charrnn_cli.text.vocabulary import Vocabulary

POEM = 'Zwölf Boxkämpfer "jagen"\nEva:  quer\n\nüber den Sylter Deich'


@pytest.mark.parametrize(
    "settings",
    [{"level": "char"}, {"level": "byte"}, {"level": "word"}, {"level": "word", "split_on": "whitespace"}],
    ids=str,
)
def test_a_text_reads_the_same_from_its_file_and_from_its_split(folder, settings):
    run = prepare_text(folder, POEM, PrepareSettings(valid=0, test=0, **settings))
    vocabulary = Vocabulary.load(run.vocabulary)
    one = read_split(Corpus(run.corpus).split("train"), vocabulary, by_line=True)
    other = read_text([Source("fox.txt", folder / "fox.txt")], vocabulary, "utf-8", False, by_line=True)
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


def test_characters_are_those_of_the_text_whatever_the_model_knows_of_it(folder):
    text = "the cat; the [dog]   ran -- the £ cat\n" * 5
    run = prepare_text(
        folder, "the cat the dog ran the cat\n" * 20 + "odd\n", PrepareSettings(level="word", min_count=5)
    )
    vocabulary = Vocabulary.load(run.vocabulary)
    assert vocabulary.unknown is not None
    (folder / "new.txt").write_text(text)
    reading = read_text([Source("new.txt", folder / "new.txt")], vocabulary, "utf-8", False, by_line=True)
    assert reading.characters == len(text) - len("the")
    assert [line.text for line in reading.lines] == text.splitlines()
    assert reading.lines[0].characters == len("the cat; the [dog]   ran -- the £ cat\n") - len("the")


@pytest.mark.parametrize("level", ["char", "byte", "word"])
def test_the_characters_of_splits_are_counted_while_a_text_is_prepared(folder, level):
    text = "Ein Öl-Fass, ein „Wort“ -- und\nnoch  eins.\n" * 30
    info = Corpus(prepare_text(folder, text, PrepareSettings(level=level)).corpus).info
    assert sum(info.characters.values()) == len(text)
    vocabulary = Vocabulary.load(folder / "runs" / "fox" / "vocabulary.json")
    reading = read_split(Corpus(folder / "runs" / "fox" / "corpus").split("test"), vocabulary, False)
    known = read_split(Corpus(folder / "runs" / "fox" / "corpus").split("test"), vocabulary, False, 1000)
    assert abs(info.characters["test"] - reading.characters) < 12
    assert 990 < known.characters < 1000


def test_the_second_file_goes_on_where_the_first_one_ends(folder):
    run = prepare_text(folder, TEXT)
    vocabulary = Vocabulary.load(run.vocabulary)
    for name, text in (("a", "The qu"), ("b", "ick fox.")):
        (folder / name).write_text(text)
    reading = read_text([Source(name, folder / name) for name in "ab"], vocabulary, "utf-8", False, by_line=False)
    assert "".join(vocabulary.decode(reading.ids.tolist())) == "The quick fox."


def test_too_little_text(folder):
    (folder / "a").write_text("T")
    vocabulary = Vocabulary.load(prepare_text(folder, TEXT).vocabulary)
    with pytest.raises(TextError, match="nothing to score"):
        read_text([Source("a", folder / "a")], vocabulary, "utf-8", False, by_line=False)
