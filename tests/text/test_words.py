import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn_cli.text import words
from charrnn_cli.text.words import WordJoiner, WordSplitter, WordTokenizer

TRICKY = st.text(
    st.sampled_from("aB9'’\"_-–.,:;!?()[]{}|<>«»/\\*&%$#@ \t\n\r\u00a0\u200d\u0301\u0600é日אל👍🏽👩"), max_size=40
)


def split(text: str, lowercase: bool = False) -> tuple[list[str], dict[str, str]]:
    splitter = WordSplitter(lowercase)
    return splitter.add(text) + splitter.end(), splitter.marks


def join(tokens: list[str], marks: dict[str, str]) -> str:
    joiner = WordJoiner(marks)
    return "".join([*map(joiner.add, tokens), joiner.end()])


@given(st.one_of(st.text(st.characters(exclude_characters="\0")), TRICKY))
@example("||Period|| is not a full stop. ||NoSpace||||Space|| R\u2a1dS")
@example('"Yes," he said -- "no"  (he  meant\t\t"yes").\n\n    "Well... __I__ know!" \n')
@example("שלום, עולם! \u202bمرحبا\u202c 👩‍👩‍👧‍👦 👍🏽🇫🇷 l’été e\u0301 \ufeff")
@example(" " * 100 + "a" + " " * 33)
def test_joined_tokens_are_the_text(text):
    assert join(*split(text)) == text


@given(TRICKY)
def test_lowercase_changes_only_the_case(text):
    assert join(*split(text, lowercase=True)) == text.lower()


@given(TRICKY, st.lists(st.integers(0, 40), max_size=5))
def test_tokens_do_not_depend_on_the_pieces_of_a_text(text, cuts):
    splitter, tokens, start = WordSplitter(lowercase=False), [], 0
    for cut in sorted(cuts):
        tokens += splitter.add(text[start:cut])
        start = max(start, cut)
    tokens += splitter.add(text[start:]) + splitter.end()
    assert (tokens, splitter.marks) == split(text)


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (".", "Period"),
        (",", "Comma"),
        ('"', "QuotationMark"),
        (";", "Semicolon"),
        ("!", "Exclamationmark"),
        ("?", "Questionmark"),
        ("(", "LeftParentheses"),
        (")", "RightParentheses"),
        ("--", "Dash"),
        ("\n", "Return"),
        (":", "Colon"),
        ("«", "LeftPointingDoubleAngleQuotationMark"),
    ],
)
def test_punctuation_has_the_names_of_the_tutorials_or_similar_ones(mark, name):
    tokens, marks = split(f"a {mark} b")
    assert f"||{name}||" in tokens
    assert marks[f"||{name}||"] == mark


def test_ordinary_prose_needs_no_tokens_for_spaces():
    text = (
        '"Well, Prince," said Anna -- she (of all people) smiled; "don\'t you see?"\n'
        "It's 3.14, or 1,000: the mother-in-law's _own_ words--no more!\n\n«Oui», dit-il.\n"
    )
    tokens, _ = split(text.replace(" -- ", "--"))
    assert not {"||NoSpace||", "||Space||"} & set(tokens)
    assert {"don't", "It's", "3.14", "1,000", "mother-in-law's", "own", "dit-il"} <= set(tokens)


def test_an_open_quotation_ends_with_its_paragraph():
    assert "||Space||" not in split('"Open, and left open.\n\n"Open" again.')[0]


def test_gaps_that_differ_from_the_rule_have_tokens():
    assert split("a  b")[0] == ["a", "||2Spaces||", "b"]
    assert split("a .b")[0] == ["a", "||Space||", "||Period||", "||NoSpace||", "b"]
    assert split("a" + " " * 20 + "b")[0] == ["a", "||16Spaces||", "||4Spaces||", "b"]


def test_no_two_marks_share_a_token():
    texts = [chr(code) for code in range(0x110000)] + [
        "--",
        "",
        *(" " * spaces for spaces in range(2, words.MAX_GAP + 1)),
    ]
    tokens = [words.mark(text) if text.strip(" ") else next(iter(words.gap_marks(text))) for text in texts]
    named = [token for token in tokens if token is not None]
    assert len(named) == len(set(named)) > 1000


def test_a_text_that_looks_like_a_token_is_not_that_token():
    tokens, marks = split("||Period||")
    assert "||Period||" not in tokens
    assert "||Period||" not in marks


def test_spaces_at_the_end_of_a_prime_are_not_tokens():
    assert WordTokenizer().split("Far ", unfinished=True) == ["Far"]
    assert WordTokenizer().split("Far ") == ["Far", "||Space||"]


def test_a_text_without_white_space_is_cut_but_complete(monkeypatch):
    monkeypatch.setattr(words, "WORD_LIMIT", 10)
    splitter = WordSplitter(lowercase=False)
    tokens = [token for _ in range(10) for token in splitter.add("abcdef.")]
    tokens += splitter.end()
    assert join(tokens, splitter.marks) == "abcdef." * 10
