import pytest
from support import TEXT, prepare_text, train_small

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError, UsageError
from charrnn_cli.generation.scoring_input import read_files, read_split_of, read_string
from charrnn_cli.runs.folders import find_run
from charrnn_cli.runs.models import load_model


@pytest.fixture
def poems(folder):
    """A run whose lines are documents, and its model."""
    run = prepare_text(folder, TEXT, PrepareSettings(documents="line"), name="poems")
    train_small(run, steps=2)
    return load_model(run)


def test_files_are_read_as_the_models_own_text(poems, folder):
    (folder / "some.txt").write_text("The fox.\n\nT dog.\n")
    text = read_files(["some.txt"], poems)
    assert "".join(poems.vocabulary.decode(text.ids.tolist())) == "The fox.<eod>T dog.<eod>"


def test_changes_replace_how_files_are_read(poems, folder):
    (folder / "some.txt").write_text("The fox.\nT dog.\n")
    with pytest.raises(TextError, match="does not know"):  # a line break
        read_files(["some.txt"], poems, documents="file")
    skipped = read_files(["some.txt"], poems, unknown="skip", documents="file")
    assert "".join(poems.vocabulary.decode(skipped.ids.tolist())) == "The fox.T dog.<eod>"
    assert skipped.unknown == 2
    (folder / "records").write_text('{"poem": "The fox."}\n')
    records = read_files(["records"], poems, documents="record", field="poem")
    assert "".join(poems.vocabulary.decode(records.ids.tolist())) == "The fox.<eod>"
    with pytest.raises(UsageError, match="nonsense"):
        read_files(["some.txt"], poems, encoding="nonsense")


def test_a_split_that_does_not_exist_is_an_error(folder):
    anna = find_run("anna")
    with pytest.raises(RunError, match="anna comes without its training text, so it has no test split"):
        read_split_of(anna, "test", load_model(anna).vocabulary, by_line=False)
    run = prepare_text(folder, TEXT, PrepareSettings(test=0), name="whole")
    train_small(run, steps=2)
    with pytest.raises(RunError, match=r"whole has no test split\. Pass another `split`"):
        read_split_of(run, "test", load_model(run).vocabulary, by_line=False)


def test_a_text_in_memory_is_read_as_a_file(poems, folder):
    text = "The fox.\r\n\nT dog."
    (folder / "some.txt").write_bytes(text.encode())
    one, other = read_string(text, poems), read_files(["some.txt"], poems)
    assert one.ids.tolist() == other.ids.tolist()
    assert (one.characters, one.unknown) == (other.characters, other.unknown)


def test_bytes_of_a_text_in_memory_stay_as_they_are(folder):
    run = prepare_text(folder, TEXT, PrepareSettings(level="byte"), name="octets")
    train_small(run, steps=2)
    model = load_model(run)
    assert model.vocabulary.decode(read_string("The", model).ids.tolist()) == ["54", "68", "65"]


def test_half_a_surrogate_pair_is_an_error(poems):
    with pytest.raises(TextError, match="the text"):
        read_string("The \ud800 fox", poems)
