from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.writer import UNTIL_LINE_TOKENS, Writer
from charrnn_cli.text.vocabulary import Vocabulary

ABC = Vocabulary("char", ("\n", *"abc"))


def write(text: str, vocabulary=ABC, tokens=None, **settings):
    """The pieces of a text whose tokens come one by one, and the writer; all tokens at once give the same text."""
    writer = Writer(vocabulary, SamplingSettings(**{"length": 10_000, **settings}), [])
    parts = []
    for token in tokens or text:
        if writer.ending:
            break
        parts += [part.text for part in writer.add([vocabulary.ids[token]], [-1.0])]
    at_once = Writer(vocabulary, SamplingSettings(**{"length": 10_000, **settings}), [])
    blocks = [part.text for part in at_once.add([vocabulary.ids[token] for token in tokens or text])]
    assert ("".join(blocks), at_once.ending, at_once.tokens) == ("".join(parts), writer.ending, writer.tokens)
    return parts, writer


@given(st.text("ab\n", max_size=30), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3), st.booleans())
def test_a_text_ends_at_the_first_stop_text_and_nothing_after_it_is_shown(text, stops, keep):
    parts, writer = write(text, stop=tuple(stops), keep_stop=keep)
    ends = [end for end in range(len(text) + 1) if any(text[:end].endswith(stop) for stop in stops)]
    if not ends:
        assert writer.ending is None
        held = text[len("".join(parts)) :]
        assert text.endswith(held)
        assert not held or any(stop.startswith(held) for stop in stops)
        return
    at, stop = min((ends[0] - len(stop), stop) for stop in stops if text[: ends[0]].endswith(stop))
    assert writer.ending == "stop"
    assert "".join(parts) == text[:at] + (stop if keep else "")


def test_a_stop_text_is_found_across_tokens():
    words = Vocabulary("word", ("to", "be", "or"))
    parts, writer = write("", words, ["to", "be", "or", "to"], stop=("e or t",))
    assert ("".join(parts), writer.ending) == ("to b", "stop")


def test_text_that_was_held_back_is_shown_at_the_end():
    parts, writer = write("abab", length=3, stop=("bc",))
    assert ("".join(parts), writer.ending, writer.tokens) == ("aba", "length", 3)
    parts, writer = write("aab", length=3, stop=("bc",))
    assert "".join(parts) == "aab"


def test_a_text_ends_after_a_number_of_lines():
    parts, writer = write("a\n\nb\nc", lines=3)
    assert ("".join(parts), writer.ending) == ("a\n\nb\n", "lines")


def test_until_line_finishes_the_last_line():
    parts, writer = write("a\nbc\na", length=3, until_line=True)
    assert ("".join(parts), writer.ending) == ("a\nbc\n", "line")
    parts, writer = write("ab\nc", length=3, until_line=True)
    assert ("".join(parts), writer.ending) == ("ab\n", "line")
    parts, writer = write("a" * 5000, length=3, until_line=True)
    assert (len("".join(parts)), writer.ending) == (3 + UNTIL_LINE_TOKENS, "length")


def test_an_unfinished_character_is_shown_at_the_end():
    octets = Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
    parts, writer = write("", octets, ["41", "c3", "a9", "c3"], length=4)
    assert "".join(parts) == "A\u00e9\ufffd"
    assert writer.log_probability == -4.0


def test_scored_tokens_are_kept_with_their_scores():
    writer = Writer(ABC, SamplingSettings(length=3), [])
    list(writer.add(ABC.encode("abca"), [-1.0, -2.0, -3.0, -4.0]))
    assert writer.scores == [("a", -1.0), ("b", -2.0), ("c", -3.0)]
    assert writer.log_probability == -6
    unscored = Writer(ABC, SamplingSettings(length=3, lines=1), [])
    list(unscored.add(ABC.encode("abca")))
    assert unscored.scores == []
