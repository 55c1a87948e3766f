import json
import shutil

from support import TEXT, charrnn, prepare_text, train_small


def another(fox):
    """A run of the same text with other settings."""
    shutil.copytree(fox.folder, fox.folder.with_name("hen"))
    charrnn("train", "hen", "--restart", "--cpu", "--no-preview", "--hidden", "24", "--batch-size", "4", "--steps", "5")


def test_only_differences_are_shown(trained):
    another(trained)
    lines = charrnn("compare", "fox", "hen").stdout.splitlines()
    assert lines[0].split() == ["fox", "hen"]
    assert next(line.split() for line in lines if line.startswith("hidden")) == ["hidden", "16", "24"]
    assert not any(line.startswith("batch-size") for line in lines)
    assert "fox has the lowest validation loss" in lines[-1]
    record = json.loads(charrnn("compare", "fox", "hen", "--json").stdout)
    assert record["settings"]["steps"] == [40, 5]
    assert record["results"]["step"] == [40, 5]
    assert record["results"]["valid_loss"][0] < record["results"]["valid_loss"][1]


def test_levels_are_compared_by_bits_per_character(trained):
    charrnn("prepare", "fox.txt", "--level", "word", "--name", "words")
    charrnn("train", "words", "--cpu", "--no-preview", "--steps", "5", "--batch-size", "2", "--seq-length", "8")
    result = charrnn("compare", "fox", "words")
    assert "Compare the bits per character" in result.stdout
    results = json.loads(charrnn("compare", "fox", "words", "--json").stdout)["results"]
    assert all(results["valid_bits_per_character"])


def test_the_note_says_that_the_texts_differ(trained, tmp_path):
    train_small(prepare_text(tmp_path, TEXT[::-1], name="xof"))
    assert "different texts" in charrnn("compare", "fox", "xof").stdout


def test_a_bundled_model_and_an_untrained_run_can_be_compared(fox):
    assert charrnn("compare", "fox", "anna").exit_code == 0


def test_bundled_models_have_bits_per_character():
    results = json.loads(charrnn("compare", "shakespeare", "shakespeare-char", "anna", "--json").stdout)["results"]
    assert [round(bits, 2) for bits in results["valid_bits_per_character"]] == [1.61, 1.82, 1.42]


def test_a_single_run_is_refused(fox):
    result = charrnn("compare", "fox")
    assert (result.exit_code, "at least two runs" in result.stderr) == (2, True)
