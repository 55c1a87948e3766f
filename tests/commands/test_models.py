import json

from support import charrnn


def test_runs_and_bundled_models_are_listed(fox):
    result = charrnn("models")
    assert (result.exit_code, result.stderr) == (0, "")
    header, *rows = (line.split() for line in result.stdout.splitlines())
    assert header[:4] == ["name", "level", "network", "parameters"]
    assert [row[0] for row in rows] == ["fox", "anna", "english", "shakespeare", "shakespeare-char"]
    assert "not trained yet" in result.stdout
    one, other, english, words, characters = json.loads(charrnn("models", "--json").stdout)
    assert (one["name"], one["bundled"], one["best"]) == ("fox", False, None)
    assert (other["name"], other["bundled"]) == ("anna", True)
    assert other["best"]["valid_loss"] < 1.28
    assert (english["name"], english["level"]) == ("english", "char")
    assert (words["name"], words["level"], words["config"]["model"]["tie_weights"]) == ("shakespeare", "word", True)
    assert characters["best"]["valid_loss"] < 1.35


def test_a_damaged_run_does_not_hide_the_others(fox):
    fox.vocabulary.write_text("{")
    result = charrnn("models")
    assert result.exit_code == 0
    assert "damaged" in result.stdout
    assert "anna" in result.stdout
