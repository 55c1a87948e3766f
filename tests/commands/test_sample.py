import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import TEXT, charrnn, prepare_text, train_small

from charrnn_cli.config import PrepareSettings

PRIME = ["--prime", "Far", "--length", "40"]


def test_stdout_has_only_the_text():
    result = charrnn("sample", *PRIME, "--seed", "1")
    assert result.exit_code == 0
    assert result.stdout.startswith("Far")
    assert result.stdout.endswith("\n")
    assert len(result.stdout) == 43 + 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("anna (bundled): LSTM")
    assert line.endswith("; ONNX Runtime, 8 bits; --seed 1")


def test_the_same_seed_writes_the_same_text():
    one, again, other = (charrnn("sample", *PRIME, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert one == again != other
    new = charrnn("sample", *PRIME)  # stderr shows the random seed
    assert charrnn("sample", *PRIME, "--seed", new.stderr.split()[-1]).stdout == new.stdout


def test_greedy_top_n_and_an_empty_prime():
    greedy = charrnn("sample", *PRIME, "--temperature", "0").stdout
    assert greedy == charrnn("sample", *PRIME, "--top-n", "1").stdout
    assert len(charrnn("sample", "--seed", "1", "--length", "30").stdout) == 30 + 1


def test_the_bundled_shakespeare_writes_a_scene():
    scene = charrnn("sample", "--model", "shakespeare", "--prime", "ROMEO:", "--length", "200", "--seed", "1").stdout
    assert scene.startswith("ROMEO:\n")
    assert "<unk>" not in scene
    assert "||" not in scene
    assert len([line for line in scene.splitlines() if line.endswith(":") and line.isupper()]) > 2


def test_a_word_model_names_unknown_words():
    result = charrnn("sample", "--model", "shakespeare", "--prime", "ROMEO: The router, Juliet?")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'router' at position 4" in result.stderr
    assert "Romeo" not in result.stderr


def test_neither_torch_nor_rich_is_loaded():
    code = (
        "import sys\nfrom charrnn_cli.cli import main\nsys.argv[1:] = ['sample', '--length', '3']\n"
        "try: main()\nexcept SystemExit: print(' heavy' if {'torch', 'rich'} & sys.modules.keys() else ' light')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith(" light\n")


def test_unknown_characters_are_named_or_skipped():
    result = charrnn("sample", "--prime", "Fàr ☕", "--length", "5")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'à' at position 2 (closest known: 'a'), '☕' at position 5" in result.stderr
    skipped = charrnn("sample", "--prime", "Fàr ☕", "--length", "5", "--unknown", "skip", "--seed", "1")
    assert skipped.stdout.startswith("Fr ")
    assert len(skipped.stdout) == 8 + 1


def test_a_model_can_learn_from_the_prime_before_it_writes(trained):
    Path("prime.txt").write_text("fox fox fox " * 200, "utf-8")
    write = ["sample", "--prime-file", "prime.txt", "--no-echo", "--length", "100", "--seed", "1"]
    plain, adapted = charrnn(*write), charrnn(*write, "--adapt")
    assert "learned from the 2,400 tokens of the prime" in adapted.stderr
    assert adapted.stdout != plain.stdout
    assert charrnn(*write).stdout == plain.stdout


def test_an_earlier_checkpoint_writes_another_text(fox):
    small = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16"]
    charrnn("train", *small, "--steps", "40", "--checkpoint-every", "20")
    write = ["sample", "--length", "50", "--seed", "1"]
    early = charrnn(*write, "--checkpoint", "20")
    assert "fox (runs/fox)" in early.stderr
    assert "step 20" in early.stderr
    assert early.stdout != charrnn(*write, "--checkpoint", "40").stdout
    assert charrnn(*write, "--checkpoint", "last").stdout == charrnn(*write, "--checkpoint", "40").stdout
    assert "step 40" in charrnn(*write, "--checkpoint", "last").stderr
    assert charrnn(*write, "--checkpoint", "best").stdout == charrnn(*write).stdout
    first = charrnn("info", "fox").stdout.split("checkpoint ")[1].splitlines()[1]
    assert first.endswith("first")
    assert f"step {first.split()[0]}," in charrnn(*write, "--checkpoint", "first").stderr
    missing = charrnn(*write, "--checkpoint", "31")
    assert missing.exit_code == 2
    assert "fox has no --checkpoint 31" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "nobody"], 1, "'nobody'"),
        (["--temperature", "-1"], 2, "-1"),
        (["--top-n", "-1"], 2, "-1"),
        (["--length", "-1"], 2, "-1"),
        (["--seed", "-1"], 2, "-1"),
        (["--unknown", "guess"], 2, "guess"),
        (["--top-p", "1.5"], 2, "1.5"),
        (["--top-p", "0"], 2, "--top-p must be in (0, 1], got"),
        (["--min-p", "1"], 2, "1.0"),
        (["--min-p", "nan"], 2, "nan"),
        (["--temperature", "nan"], 2, "nan"),
        (["--repetition-penalty", "1e308"], 2, "1e+308"),
        (["--repetition-window", str(10**23)], 2, str(10**23)),
        (["--num", str(10**23)], 2, str(10**23)),
        (["--best-of", str(10**23)], 2, str(10**23)),
        (["--output", ""], 2, "is a folder"),
        (["--output", "."], 2, "is a folder"),
        (["--output", "/dev/null", "--force"], 2, "is not a regular file"),
        (["--repetition-penalty", "0"], 2, "0.0"),
        (["--repetition-window", "0"], 2, "0"),
        (["--lines", "-1"], 2, "-1"),
        (["--num", "0"], 2, "0"),
        (["--num", "3", "--best-of", "2"], 2, "--best-of must be between --num (3) and 1,000,000, got 2"),
        (["--stop", ""], 2, "--stop must not contain an empty text"),
        (["--allow-only", "é"], 2, "no token is left to write: the model knows no token of --allow-only ('é')"),
        (["--prime", "a", "--prime-file", "b"], 2, "--prime and --prime-file both give a prime"),
        (["--prime-file", "nowhere.txt"], 1, "nowhere.txt"),
        (["--prime", "a\\q", "--escapes"], 2, "--prime 'a\\\\q': \\q is not an escape"),
        (["--engine", "numpy", "--gpu"], 2, "--engine numpy computes on the CPU"),
        (["--engine", "abacus"], 2, "abacus"),
        (["--interactive", "--json"], 2, "--interactive"),
        (["--logprobs"], 2, "Add --json"),
        (["--adapt"], 2, "--adapt learns from the prime. Add --prime-file or --prime"),
        (["--check-copies"], 1, "anna comes without its training text. Pass a text: --copies-from FILE.txt"),
        (["--copies-from", "nowhere.txt"], 1, "nowhere.txt"),
        (["--novel"], 1, "anna comes without its training text. Pass a text: --copies-from FILE.txt"),
        (["--validate", "no-such-command"], 2, "--validate 'no-such-command': the command was not found"),
        (["--max-length", "0"], 2, "--max-length must be at least 1, got 0"),
        (["--starts-with", ""], 2, "--starts-with must not be empty"),
        (["--temperatures", "0.5;0.8"], 2, "--temperatures must be numbers with commas"),
        (["--temperatures", "0.5,-1"], 2, "--temperature must be at least 0, got -1"),
        (["--temperatures", "0.5", "--temperature", "1"], 2, "both give temperatures"),
        (["--interactive", "--unique"], 2, "the options that refuse texts"),
        (["--interactive", "--temperatures", "0.5"], 2, "--temperatures"),
    ],
)
def test_bad_input_is_named(arguments, code, message):
    result = charrnn("sample", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_a_line_separates_texts():
    one = charrnn("sample", *PRIME, "--seed", "1").stdout
    three = charrnn("sample", *PRIME, "--seed", "1", "--num", "3", "--separator", "* * *").stdout
    first, *others = three.removesuffix("\n").split("\n* * *\n")
    assert f"{first}\n" == one
    assert len({first, *others}) == 3
    assert all(text.startswith("Far") and len(text) == 43 for text in others)


def test_json_has_a_record_for_each_text():
    typed = [*PRIME, "--seed", "7", "--num", "2"]
    records = [json.loads(line) for line in charrnn("sample", *typed, "--json").stdout.splitlines()]
    assert [record["sample"] for record in records] == [0, 1]
    texts = charrnn("sample", *typed).stdout.removesuffix("\n").split("\n---\n")
    for record, text in zip(records, texts, strict=True):
        assert record["prime"] + record["text"] == text
        assert {k: record[k] for k in ("model", "seed", "tokens", "stop_reason")} == {
            "model": "anna",
            "seed": 7,
            "tokens": 40,
            "stop_reason": "length",
        }
        assert -200 < record["log_probability"] < 0


def test_json_has_the_log_probability_of_every_token():
    typed = ["--seed", "7", "--json", "--logprobs"]
    records = [json.loads(line) for line in charrnn("sample", *PRIME, "--num", "2", *typed).stdout.splitlines()]
    for record in records:
        tokens, scores = record["logprobs"]["tokens"], record["logprobs"]["log_probabilities"]
        assert "".join(tokens) == record["text"]
        assert len(tokens) == len(scores) == record["tokens"]
        assert sum(scores) == pytest.approx(record["log_probability"])
        assert max(scores) <= 0
    play = json.loads(charrnn("sample", "--model", "shakespeare", "--length", "40", *typed).stdout)
    assert "||Return||" in play["logprobs"]["tokens"]
    assert "logprobs" not in json.loads(charrnn("sample", "--length", "3", "--json").stdout)


def test_best_of_prints_the_likeliest_text():
    records = [
        json.loads(line)
        for line in charrnn("sample", *PRIME, "--seed", "7", "--num", "6", "--json").stdout.splitlines()
    ]
    best = json.loads(charrnn("sample", *PRIME, "--seed", "7", "--best-of", "6", "--json").stdout)
    assert best == max(records, key=lambda record: record["log_probability"])


def test_stop_lines_and_until_line_end_a_text():
    stopped = charrnn("sample", "--prime", "Far", "--seed", "1", "--stop", "the").stdout
    assert "the" not in stopped
    kept = charrnn("sample", "--prime", "Far", "--seed", "1", "--stop", "the", "--keep-stop").stdout
    assert kept == stopped.removesuffix("\n") + "the\n"
    lines = charrnn("sample", "--prime", "Far", "--seed", "1", "--lines", "4").stdout
    assert lines.count("\n") == 4
    assert lines.endswith("\n")
    line = charrnn("sample", *PRIME, "--seed", "1", "--until-line").stdout
    assert line.startswith(charrnn("sample", *PRIME, "--seed", "1").stdout.removesuffix("\n"))
    assert line.endswith("\n")
    assert len(line) >= 43


def test_allow_only_and_ban_limit_the_tokens():
    assert set(charrnn("sample", "--length", "60", "--allow-only", "ab").stdout) == {"a", "b", "\n"}
    assert "e" not in charrnn("sample", "--length", "300", "--ban", "e").stdout
    noted = charrnn("sample", "--seed", "1", "--length", "9", "--ban", "e\u00e9")
    assert (noted.exit_code, len(noted.stdout)) == (0, 9 + 1)
    assert "--ban: the model does not know '\u00e9'" in noted.stderr
    assert charrnn("sample", "--length", "300", "--ban", "\\n", "--escapes").stdout.count("\n") == 1  # at the end


def test_a_prime_from_a_file_or_a_pipe(folder):
    (folder / "letter.txt").write_bytes("\ufeffDear Anna,\r\n".encode())
    from_file = charrnn("sample", "--prime-file", "letter.txt", "--length", "20", "--seed", "1").stdout
    from_pipe = charrnn("sample", "--prime", "-", "--length", "20", "--seed", "1", stdin=b"Dear Anna,\n").stdout
    escaped = charrnn("sample", "--prime", "Dear Anna,\\n", "--escapes", "--length", "20", "--seed", "1").stdout
    assert from_file == from_pipe == escaped
    assert from_file.startswith("Dear Anna,\n")
    dash = charrnn("sample", "--prime", "\\x2d", "--escapes", "--length", "0").stdout
    assert dash == "-\n"  # not standard input
    bare = charrnn("sample", "--prime-file", "letter.txt", "--length", "20", "--seed", "1", "--no-echo").stdout
    assert "Dear Anna,\n" + bare == from_file
    (folder / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    result = charrnn("sample", "--prime-file", "latin.txt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "latin.txt is not utf-8: line 1, byte offset 3 (byte 0xe9)" in result.stderr


def test_unknown_replace_uses_the_closest_known_characters():
    refused = charrnn("sample", "--prime", "\u201cFar\u201d", "--length", "0")
    assert refused.exit_code == 2
    assert "'\u201c' at position 1 (closest known: '\"')" in refused.stderr
    assert charrnn("sample", "--prime", "\u201cFar\u201d", "--length", "0", "--unknown", "replace").stdout == '"Far"\n'


def test_a_word_that_becomes_unk_is_written_as_it_was_typed():
    typed = ["--model", "shakespeare", "--prime", "ROMEO: the zzqxj is here", "--length", "0", "--unknown", "replace"]
    assert charrnn("sample", *typed).stdout.startswith("ROMEO: the zzqxj is here")
    (record,) = charrnn("sample", *typed, "--json").stdout.splitlines()
    assert json.loads(record)["prime"] == "ROMEO: the zzqxj is here"


def test_output_writes_a_whole_file_and_replaces_none_without_force(folder):
    typed = ["sample", *PRIME, "--seed", "1", "--output", "new.txt"]
    first = charrnn(*typed)
    assert (first.exit_code, first.stdout) == (0, "")
    assert (folder / "new.txt").read_text() == charrnn("sample", *PRIME, "--seed", "1").stdout
    again = charrnn("sample", "--prime", "Other", "--output", "new.txt")
    assert again.exit_code == 2
    assert "new.txt already exists" in again.stderr
    assert charrnn("sample", "--prime", "Other", "--length", "0", "--output", "new.txt", "--force").exit_code == 0
    assert (folder / "new.txt").read_text() == "Other\n"
    missing = charrnn("sample", *PRIME, "--output", "nowhere/new.txt")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    assert "the folder nowhere does not exist" in missing.stderr
    (folder / "link.txt").symlink_to("target.txt")
    assert charrnn("sample", *PRIME, "--output", "link.txt").exit_code == 2
    assert charrnn("sample", *PRIME, "--seed", "1", "--output", "link.txt", "--force").exit_code == 0
    assert (folder / "link.txt").is_symlink()
    assert (folder / "target.txt").read_text() == charrnn("sample", *PRIME, "--seed", "1").stdout


def test_check_copies_reports_copied_passages(fox):
    train_small(fox, steps=200)
    typed = ["sample", "--length", "120", "--seed", "1", "--prime", "The quick brown fox jumps"]
    result = charrnn(*typed, "--check-copies")
    assert "copied: " in result.stderr
    record = json.loads(charrnn(*typed, "--check-copies", "--json").stdout)
    assert record["copies"]["longest"] in record["text"]
    assert record["copies"]["longest"] in TEXT
    assert 0 <= record["copies"]["share"] <= 1
    Path("other.txt").write_text("zzz" + record["text"][20:90] + "zzz")
    other = json.loads(charrnn(*typed, "--copies-from", "other.txt", "--json").stdout)
    assert other["copies"]["longest"] == record["text"][20:90]
    assert other["copies"]["share"] == 70 / 120


def test_colors_appear_only_on_terminals():
    plain = charrnn("sample", *PRIME, "--seed", "1")
    colored = charrnn("sample", *PRIME, "--seed", "1", "--color", "surprise")
    assert colored.stdout == plain.stdout
    note = "--color surprise: the output is not a terminal with colors, so the text stays plain\n"
    assert colored.stderr == note + plain.stderr
    for elsewhere in (["--json"], ["--output", "new.txt"]):
        assert charrnn("sample", *PRIME, "--color", "surprise", *elsewhere).stderr.count(note) == 1


@pytest.fixture
def names(folder):
    """A small trained run whose documents are lines."""
    run = prepare_text(folder, "Anna\nJohn\nMaria\n" * 20, PrepareSettings(documents="line"), name="names")
    train_small(run)
    return run


def test_check_copies_reports_whole_documents(names):
    typed = ["sample", "--prime", "Anna", "--length", "0", "--check-copies"]
    assert "one of the original documents" in charrnn(*typed).stderr
    assert json.loads(charrnn(*typed, "--json").stdout)["copies"]["whole_document"]
    typed[2] = "Ann"
    assert "original documents" not in charrnn(*typed).stderr
    assert not json.loads(charrnn(*typed, "--json").stdout)["copies"]["whole_document"]


def test_a_model_of_a_list_writes_a_list(names):
    records = [
        json.loads(line) for line in charrnn("sample", "--num", "5", "--seed", "1", "--json").stdout.splitlines()
    ]
    assert {record["stop_reason"] for record in records} == {"document"}
    typed = ["sample", "--seed", "1", "--lines", "5"]
    assert charrnn(*typed).stdout == "".join(f"{record['text']}\n" for record in records if record["text"])
    assert charrnn(*typed, "--separator", "---").stdout.count("\n---\n") == 4
    assert len(charrnn(*typed, "--num", "2", "--json").stdout.splitlines()) == 10
    best = charrnn(*typed, "--best-of", "4")
    assert (best.exit_code, best.stdout) == (2, "")


def test_texts_that_are_refused_do_not_appear(names):
    typed = ["sample", "--seed", "1", "--lines", "4", "--temperature", "1.2", "--novel", "--unique"]
    shown = charrnn(*typed)
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 0
    assert len(set(lines)) == len(lines) == 4
    assert set(lines).isdisjoint(["Anna", "John", "Maria", ""])
    assert [json.loads(line)["text"] for line in charrnn(*typed, "--json").stdout.splitlines()] == lines
    Path("known.txt").write_text(lines[0])
    other = charrnn(*typed, "--copies-from", "known.txt")
    assert lines[0] not in other.stdout.splitlines()
    assert "copied" not in other.stderr
    assert "refused" in other.stderr
    assert "by --novel" in other.stderr


def test_conditions_look_at_the_whole_text_of_any_model():
    typed = ["sample", *PRIME, "--seed", "1", "--num", "2", "--starts-with", "Far", "--contains", "\\x2c", "--escapes"]
    texts = charrnn(*typed, "--max-length", "43", "--validate", "grep -q ,").stdout.split("\n---\n")
    assert len(texts) == 2
    assert all(text.startswith("Far") and "," in text for text in texts)


def test_too_few_texts_end_with_1_and_those_that_were_found(folder):
    typed = ["sample", "--prime", "Far", "--length", "0", "--num", "3", "--tries", "2", "--unique"]
    result = charrnn(*typed)
    assert (result.exit_code, result.stdout) == (1, "Far\n")
    assert "found only 1 of 3 texts after writing 6; refused 5 by --unique. Raise --temperature" in result.stderr
    assert "more than --tries 2." in result.stderr
    assert charrnn(*typed, "--output", "found.txt").exit_code == 1
    assert (folder / "found.txt").read_text() == "Far\n"


def test_a_ladder_writes_what_each_temperature_writes():
    typed = ["sample", *PRIME, "--seed", "1", "--num", "2"]
    alone = [charrnn(*typed, "--temperature", temperature).stdout for temperature in ("0.5", "1")]
    ladder = charrnn(*typed, "--temperatures", "0.5,1")
    assert ladder.stdout == f"--- temperature 0.5 ---\n{alone[0]}--- temperature 1 ---\n{alone[1]}"
    records = charrnn(*typed, "--temperatures", "0.5,1", "--json").stdout.splitlines()
    assert [json.loads(record)["temperature"] for record in records] == [0.5, 0.5, 1.0, 1.0]
