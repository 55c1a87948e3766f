import json

from support import charrnn

SMALL = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16"]


def test_everything_about_a_run_is_shown(fox):
    charrnn("train", *SMALL, "--steps", "40", "--checkpoint-every", "20")
    text = charrnn("info").stdout
    for fact in ("fox", "fox.txt", "1,548 tokens", "LSTM 2 x 16", "batch-size", "valid loss", "checkpoint"):
        assert fact in text
    assert len([line for line in text.splitlines() if line.endswith("best")]) == 1
    record = json.loads(charrnn("info", "fox", "--json").stdout)
    assert {20, 40} <= {checkpoint["step"] for checkpoint in record["checkpoints"]}
    assert record["config"]["training"]["batch_size"] == 16 // 4
    assert record["best"]["valid_loss"] == min(
        checkpoint["valid_loss"] for checkpoint in record["checkpoints"] if checkpoint["valid_loss"]
    )


def test_a_prepared_text_and_a_bundled_model_are_shown(fox):
    assert "fox.txt" in charrnn("info", "fox").stdout
    assert "(bundled)" in charrnn("info", "anna").stdout


def test_an_error_about_a_damaged_run_names_the_file(fox):
    fox.vocabulary.write_text("{")
    result = charrnn("info", "fox")
    assert result.exit_code == 1
    assert "vocabulary.json is damaged" in result.stderr
