import subprocess
import sys

import pytest
from support import charrnn

PRIME = ["--prime", "Far", "--length", "40"]


def test_stdout_has_the_text_and_nothing_else():
    result = charrnn("sample", *PRIME, "--seed", "1")
    assert result.exit_code == 0
    assert result.stdout.startswith("Far")
    assert len(result.stdout) == 43
    (line,) = result.stderr.splitlines()
    assert line.startswith("anna (bundled): LSTM")
    assert line.endswith("--seed 1")


def test_the_same_seed_writes_the_same_text():
    one, again, other = (charrnn("sample", *PRIME, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert one == again != other
    new = charrnn("sample", *PRIME)  # and a new seed can be used again
    assert charrnn("sample", *PRIME, "--seed", new.stderr.split()[-1]).stdout == new.stdout


def test_greedy_top_n_and_an_empty_prime():
    greedy = charrnn("sample", *PRIME, "--temperature", "0").stdout
    assert greedy == charrnn("sample", *PRIME, "--top-n", "1").stdout
    assert len(charrnn("sample", "--length", "30").stdout) == 30


def test_the_bundled_shakespeare_writes_a_scene():
    scene = charrnn("sample", "--model", "shakespeare", "--prime", "ROMEO:", "--length", "200", "--seed", "1").stdout
    assert scene.startswith("ROMEO:\n")
    assert "<unk>" not in scene
    assert "||" not in scene
    assert len([line for line in scene.splitlines() if line.endswith(":") and line.isupper()]) > 2


def test_a_word_model_names_the_words_that_it_does_not_know():
    result = charrnn("sample", "--model", "shakespeare", "--prime", "ROMEO: The router, Juliet?")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'router' at position 4" in result.stderr
    assert "Romeo" not in result.stderr


def test_torch_is_not_loaded():
    code = (
        "import sys\nfrom charrnn_cli.cli import main\nsys.argv[1:] = ['sample', '--length', '3']\n"
        "try: main()\nexcept SystemExit: print(' torch' if 'torch' in sys.modules else ' light')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" light\n")


def test_unknown_characters_are_named_or_skipped():
    result = charrnn("sample", "--prime", "Fàr ☕", "--length", "5")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'à' at position 2, '☕' at position 5" in result.stderr
    skipped = charrnn("sample", "--prime", "Fàr ☕", "--length", "5", "--unknown", "skip")
    assert skipped.stdout.startswith("Fr ")
    assert len(skipped.stdout) == 8


def test_an_earlier_checkpoint_writes_otherwise(fox):
    small = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16"]
    charrnn("train", *small, "--steps", "40", "--checkpoint-every", "20")
    write = ["sample", "--length", "50", "--seed", "1"]
    early = charrnn(*write, "--checkpoint", "20")
    assert "fox (runs/fox)" in early.stderr
    assert "step 20" in early.stderr
    assert early.stdout != charrnn(*write, "--checkpoint", "40").stdout
    missing = charrnn(*write, "--checkpoint", "31")
    assert missing.exit_code == 2
    assert "fox has the checkpoints" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "nobody"], 1, "'nobody'"),
        (["--temperature", "-1"], 2, "-1"),
        (["--top-n", "-1"], 2, "-1"),
        (["--length", "-1"], 2, "-1"),
        (["--seed", "-1"], 2, "-1"),
        (["--unknown", "guess"], 2, "guess"),
    ],
)
def test_bad_input_is_named(arguments, code, message):
    result = charrnn("sample", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
