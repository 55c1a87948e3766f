import pytest
from support import prepare_text, train_small

from charrnn_cli.generation.evaluation import surprisals
from charrnn_cli.generation.model import load
from charrnn_cli.generation.surprisal import SurprisalStep, TokenSurprisal
from charrnn_cli.generation.word_surprisal import word_surprisals
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

LINES = ['The "old"  man,', "Zwölf Boxer.", "", "end"]


def text_of(level, text, end=0.5, split_on="punctuation", tokens=()):
    """The steps of a text whose tokens have the surprisals 1, 2, 3 ..., with the marks of the text."""
    marks: dict[str, str] = {}
    whole = tokenizer_of(Vocabulary(level, tokens, split_on=split_on))
    if level == "word":
        splitter = whole.splitter()
        tokens = [*splitter.add(text), *splitter.end()]
        marks |= splitter.marks
    else:
        tokens = whole.split(text)
    rows = [SurprisalStep(TokenSurprisal(1, 1, token, n, 2 * n, n, False), end) for n, token in enumerate(tokens, 1)]
    return [*rows, SurprisalStep(None, end)], marks


@pytest.mark.parametrize(
    ("level", "tokens"), [("char", ()), ("byte", ()), ("word", ()), ("subword", (" B", "ma", " ma", "Zw"))]
)
def test_words_are_what_stands_between_white_space_at_every_level(level, tokens):
    text = "\n".join(LINES)
    steps, marks = text_of(level, text, tokens=tokens)
    words = list(word_surprisals(steps, Vocabulary(level, tokens), marks))
    assert [word.word for word in words] == text.split()
    assert [word.position for word in words] == list(range(1, len(words) + 1))


def test_words_of_text_split_at_white_space_are_its_tokens():
    text, marks = text_of("word", "The old man\nsat .\n", end=0.0, split_on="whitespace")
    words = list(word_surprisals(text, Vocabulary("word", (), split_on="whitespace"), marks))
    assert [word.word for word in words] == ["The", "old", "man", "sat", "."]
    assert [word.surprisal for word in words] == [1, 2, 3, 5, 6]


def test_a_word_is_the_sum_over_its_tokens_and_its_end_without_the_space_itself():
    text, marks = text_of("char", "ab  c", end=0.25)
    one, other = word_surprisals(text, Vocabulary("char", ()), marks)
    assert (one.surprisal, one.entropy, one.rank) == (1 + 2 + 0.25, 2.0, 2)
    assert (other.surprisal, other.entropy, other.rank) == (5 + 0.25, 10.0, 5)


def test_the_space_in_a_subword_belongs_to_the_word_before():
    text, marks = text_of("subword", "ab c\nc", end=0.25, tokens=("ab", " c"))
    words = [word.surprisal for word in word_surprisals(text, Vocabulary("subword", ("ab", " c")), marks)]
    assert words == [1 + 0.25, 2 - 0.25 + 0.25, 4 + 0.25]


def test_documents_lines_and_unknown_tokens():
    rows = [("a", 1, False), ("<eod>", 1, False), ("b", 2, True), ("c", 2, False)]
    text = [SurprisalStep(TokenSurprisal(line, 1, token, 1.0, 1.0, 1, unknown), 0.0) for token, line, unknown in rows]
    text[2:2] = [SurprisalStep(None, 0.0)]
    words = list(word_surprisals([*text, SurprisalStep(None, 0.0)], Vocabulary("char", ()), {}))
    assert [(word.word, word.line, word.position, word.unknown) for word in words] == [
        ("a", 1, 1, False),
        ("bc", 2, 1, True),
    ]


def test_a_word_and_the_longer_words_that_begin_with_it_share_the_probability_of_its_characters(folder):
    train_small(prepare_text(folder, "ab ba a b aab " * 100), steps=3)
    (folder / "items.txt").write_text("a\naa\nab")
    model = load()
    words = [2**-word.surprisal for word in surprisals(model, ["items.txt"], per_word=True, documents="line")]
    tokens = list(surprisals(model, ["items.txt"], documents="line"))
    beginnings = [2 ** -sum(token.surprisal for token in tokens if token.line == line) for line in (1, 2, 3)]
    assert words[0] + beginnings[1] + beginnings[2] == pytest.approx(beginnings[0])
