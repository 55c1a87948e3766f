import numpy as np
import pytest
from support import TEXT, prepare_text

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.reading import read_split, read_text
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
