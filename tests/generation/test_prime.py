import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.generation.prime import nearest, read_prime, unescape
from charrnn_cli.text.vocabulary import Vocabulary

ABC = Vocabulary("char", ("\n", " ", '"', "'", "-", ".", *"abcdefghijklmnopqrstuvwxyzAE"))
MARKS = {"||Comma||": ",", "||Colon||": ":", "||Return||": "\n"}
PLAY = Vocabulary("word", ("<unk>", *MARKS, "ROMEO", "Romeo", "to", "be", "cafe"), unknown=0, marks=MARKS)


def test_a_prime_that_the_model_does_not_know():
    with pytest.raises(
        UsageError,
        match=r"'É' at position 2 \(nearest known: 'E'\), '!' at position 5.*--unknown replace.*--unknown skip",
    ):
        read_prime("aÉbc!", ABC)
    assert read_prime("aÉbc!", ABC, "skip") == ABC.encode("abc")
    assert read_prime("a\r\nb", ABC) == ABC.encode("a\nb")


def test_the_nearest_takes_its_place():
    assert read_prime("“Él” — ça…", ABC, "replace") == ABC.encode('"El" -- ca...')
    assert read_prime("Яб", ABC, "replace") == ABC.encode("yab")
    with pytest.raises(UsageError, match=r"nothing that the model knows is like '☕' at position 2"):
        read_prime("a☕", ABC, "replace")


def test_a_curly_quote_is_nearest_where_the_model_has_no_straight_one():
    curly = Vocabulary("char", ("a", "b", "’", "“"))
    assert nearest("'", curly) == ["’"]
    assert nearest("B", curly) == ["b"]
    assert nearest("z", curly) == []


def test_a_word_models_prime():
    assert PLAY.decode(read_prime("ROMEO: to  be ", PLAY)) == ["ROMEO", "||Colon||", "to", "be"]
    with pytest.raises(UsageError, match="'Juliet' at position 2"):
        read_prime("Romeo Juliet", PLAY)
    assert read_prime("Romeo Juliet", PLAY, "skip") == PLAY.encode(["Romeo"])
    assert read_prime("romeo café Romoe router", PLAY, "replace") == PLAY.encode(["Romeo", "cafe", "Romeo", "<unk>"])


def test_a_word_models_nearest_punctuation():
    marks = {"||QuotationMark||": '"', "||Dash||": "--"}
    model = Vocabulary("word", ("to", "be", *marks), marks=marks)
    assert model.decode(read_prime("to “be” —", model, "replace")) == [
        *("to", "||QuotationMark||", "be", "||QuotationMark||", "||Dash||")
    ]
    with pytest.raises(UsageError, match=r"'“' at position 2 \(nearest known: '\"'\)"):
        read_prime("to “be”", model)


def test_a_lowercase_model_takes_a_prime_of_any_case():
    low = Vocabulary("word", ("to", "be"), lowercase=True)
    assert read_prime("To BE", low) == [0, 1]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (r"a\nb", "a\nb"),
        (r"\\n", r"\n"),
        (r"\x41\u00e9\U0001F600", "Aé😀"),
        ("\\t\\\"\\'", "\t\"'"),
        ("plain", "plain"),
    ],
)
def test_escapes(typed, meant):
    assert unescape("--prime", typed) == meant


@pytest.mark.parametrize("typed", [r"\q", "\\", r"\x4", r"\U00110000"])
def test_escapes_that_are_none(typed):
    with pytest.raises(UsageError, match="is no escape"):
        unescape("--prime", typed)
