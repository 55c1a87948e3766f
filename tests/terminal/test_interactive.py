from support import charrnn

from charrnn_cli.terminal.interactive import as_commands


def test_a_pipe_of_turns():
    turns = "He was\n\n/undo\n/temperature 9x\n/dance\n/set\n/text\n/again\n/new\nShe\n/quit\nnever\n"
    result = charrnn("sample", "--interactive", "--length", "12", "--seed", "1", stdin=turns.encode())
    assert result.exit_code == 0
    lines = result.stdout
    assert lines.startswith("He was")
    assert "\nShe" in lines
    assert "never" not in lines
    assert "/temperature must be a number, got '9x'" in result.stderr
    assert "/dance is not a command" in result.stderr
    assert "temperature 0.8  length 12" in result.stderr


def test_errors_name_what_can_be_typed_there():
    turns = "/top-p 3\n/repetition-penalty 0\nx é\n☕\n"
    result = charrnn("sample", "--interactive", "--length", "2", "--seed", "1", stdin=turns.encode())
    _, *errors = result.stderr.splitlines()
    assert errors == [
        "/top-p must be in (0, 1], got 3.0.",
        "/repetition-penalty must be in [0.01, 100], got 0.0.",
        "the model does not know 'é' at position 3 (closest known: 'e'). Change what you typed.",
        "the model does not know '☕' at position 1. Change what you typed.",
    ]


def test_settings_in_messages_become_commands_if_there_is_one():
    assert as_commands("`top_p` must be less, pass `top_n=3`.") == "/top-p must be less, pass /top-n 3."
    assert as_commands("`ban` excludes every token") == "ban excludes every token"


def test_a_word_is_not_joined_to_the_last_one():
    typed = ["sample", "--interactive", "--model", "shakespeare", "--length", "3", "--seed", "1"]
    result = charrnn(*typed, stdin=b"my lord\nmy\n")
    assert (result.exit_code, "does not know" in result.stderr) == (0, False)


def test_escapes_are_read_in_the_prime():
    result = charrnn("sample", "--interactive", "--prime", "Far\\nAnna", "--escapes", "--length", "2", stdin=b"")
    assert result.stdout.startswith("Far\nAnna")
