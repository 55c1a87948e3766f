import io
import json

import pytest

from charrnn_cli.generation.texts import Piece, Sample
from charrnn_cli.terminal.samples import JsonOutput, TextOutput, copies_in_words, out_stream, print_texts, reading_bar
from charrnn_cli.text.copies import Copies, Original
from charrnn_cli.wording import visible


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO, raw: bool = False, echo: bool = True, separator: str | None = "---") -> str:
    out = TextOutput(stream, separator, echo, raw, None, None)
    for k in range(2):
        out.add(Piece(k, "Far", prime=True))
        out.add(Piece(k, " \x1b[31m\t"))
        out.add(Sample(k, "length", 7, 0.0))
    out.end()
    return stream.getvalue()


def test_a_pipe_gets_the_text_unchanged():
    assert written(io.StringIO()) == "Far \x1b[31m\t\n---\nFar \x1b[31m\t\n"
    assert written(io.StringIO(), echo=False) == " \x1b[31m\t\n---\n \x1b[31m\t\n"


def test_without_a_separator_each_text_is_a_line():
    for stream in (io.StringIO(), Terminal()):
        assert written(stream, raw=True, echo=False, separator=None) == " \x1b[31m\t\n" * 2
    assert written(io.StringIO(), echo=False, separator="") == " \x1b[31m\t\n\n \x1b[31m\t\n"


@pytest.mark.parametrize(("text", "shown"), [("a", "a\n"), ("a\n", "a\n"), ("a\n\n", "a\n\n"), ("", "")])
def test_a_text_ends_with_one_line_break(text, shown):
    for stream in (io.StringIO(), Terminal()):
        events = [Piece(0, text, prime=True), Sample(0, "length", 0, 0.0)]
        print_texts([(None, events)], TextOutput(stream, "---", True, False, None, None))
        assert stream.getvalue() == shown


def test_a_terminal_gets_escaped_control_characters_and_a_rule_between_texts(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    assert written(Terminal()) == "Far \\x1b[31m\t\n" + "\u2500" * 12 + "\nFar \\x1b[31m\t\n"
    assert written(Terminal(), raw=True).count("\x1b") == 2


@pytest.mark.parametrize(
    ("text", "seen"), [("a\n\tb", "a\n\tb"), ("\x1b\x07\x9b", "\\x1b\\x07\\x9b"), ("\u202e", "\\u202e")]
)
def test_control_characters_become_escapes(text, seen):
    assert visible(text) == seen


def test_a_json_record_has_a_whole_text():
    stream = io.StringIO()
    events = [Piece(0, "Far", prime=True), Piece(0, " a"), Piece(0, "way"), Sample(0, "length", 5, -1.5)]
    print_texts([(None, events)], JsonOutput(stream, "anna", 7, Original(lambda: ["so far away"])))
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "model": "anna",
        "seed": 7,
        "sample": 0,
        "prime": "Far",
        "text": " away",
        "tokens": 5,
        "log_probability": -1.5,
        "stop_reason": "length",
        "copies": {"longest": " away", "share": 0.0, "whole_document": False},
    }


LADDER = [
    (temperature, [event for k in range(2) for event in (Piece(k, f"a{k}", prime=True), Sample(k, "length", 0, 0.0))])
    for temperature in (0.5, 1.5)
]


@pytest.mark.parametrize(
    ("stream", "label", "between"),
    [
        (io.StringIO(), "--- temperature {} ---", "---"),
        (Terminal(), "\u2500\u2500 temperature {} \u2500\u2500", "\u2500" * 21),
    ],
)
def test_the_texts_of_several_temperatures_are_labeled(monkeypatch, stream, label, between):
    monkeypatch.setenv("COLUMNS", "21")
    print_texts(LADDER, TextOutput(stream, "---", True, False, None, None))
    groups = [[label.format(temperature), "a0", between, "a1"] for temperature in ("0.5", "1.5")]
    assert stream.getvalue().splitlines() == [line for group in groups for line in group]


def test_a_json_record_has_the_temperature_if_there_are_several():
    stream = io.StringIO()
    print_texts(LADDER, JsonOutput(stream, "anna", 7, None))
    records = map(json.loads, stream.getvalue().splitlines())
    assert [(record["temperature"], record["sample"]) for record in records] == [(0.5, 0), (0.5, 1), (1.5, 0), (1.5, 1)]


def test_copies_are_named_by_temperature_and_number(capsys):
    print_texts(LADDER, TextOutput(io.StringIO(), "---", True, False, None, Original(lambda: ["b"])))
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "temperature 0.5, sample 1: copied: nothing"
    assert last == "temperature 1.5, sample 2: copied: nothing"


def test_copies_in_words_shorten_the_passage():
    assert copies_in_words(Copies("", 0.0)) == "copied: nothing"
    assert "one of the original documents" in copies_in_words(Copies("na", 0.0, whole_document=True))
    words = copies_in_words(Copies("a\n" * 50, 0.5))
    assert "50.0%" in words
    assert "has 100: 'a a " in words
    assert words.endswith("...'")


def test_a_short_prime_is_read_without_a_bar():
    with reading_bar(10) as progress:
        progress(0.5)


def test_a_file_keeps_the_bytes_of_a_text_and_replaces_other_lone_surrogates(folder):
    with out_stream(folder / "a.txt") as stream:
        stream.write("é\udcff\ud800\udfff😀")
    assert (folder / "a.txt").read_bytes() == "é".encode() + b"\xff??" + "😀".encode()


def test_the_end_of_the_last_line_is_written_before_anything_is_said_on_stderr():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "utf-8")
    output = TextOutput(stream, None, True, False, None, None)
    output.add(Piece(0, "Far"))
    output.end()
    assert raw.getvalue() == b"Far\n"
