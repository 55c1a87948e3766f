import pytest

from charrnn_cli.errors import UsageError
from charrnn_cli.generation import prime
from charrnn_cli.generation.prime import EncodedPrime, UnknownTokensError, first_token, prime_text
from charrnn_cli.text.vocabulary import Vocabulary

ABC = Vocabulary("char", ("\n", " ", '"', "'", "-", ".", *"abcdefghijklmnopqrstuvwxyzAE"))
MARKS = {"||Comma||": ",", "||Colon||": ":", "||Return||": "\n"}
PLAY = Vocabulary("word", ("<unk>", *MARKS, "ROMEO", "Romeo", "to", "be", "cafe"), unknown=0, marks=MARKS)
POEMS = Vocabulary("char", ("<eod>", "a", "b"), end=0)


def encode_prime(*arguments, **named) -> list[int]:
    return prime.encode_prime(*arguments, **named).ids


def test_unknown_characters_are_an_error_or_skipped():
    with pytest.raises(
        UsageError,
        match=r"'É' at position 2 \(closest known: 'E'\), 'À' at position 5.*`unknown=replace`.*`unknown=skip`",
    ):
        encode_prime("aÉbcÀ", ABC)
    assert encode_prime("aÉbc!", ABC, "skip") == ABC.encode("abc")


def test_decomposed_characters_are_known_if_the_composed_ones_are():
    composed, decomposed = Vocabulary("char", ("a", "\u00cb")), Vocabulary("char", ("E", "\u0308", "a"))
    assert encode_prime("aE\u0308", composed) == encode_prime("a\u00cb", composed) == [0, 1]
    assert encode_prime("aE\u0308", decomposed) == encode_prime("a\u00cb", decomposed) == [2, 0, 1]
    assert encode_prime("cafe\u0301 be", Vocabulary("word", ("caf\u00e9", "be"))) == [0, 1]


def test_line_breaks_of_every_system_become_lf():
    assert encode_prime("a\r\nb\rc", ABC) == ABC.encode("a\nb\nc")


def test_replacing_is_advised_only_if_something_is_close():
    for text in ("Éé☕", "éèêëàáâ☕"):
        with pytest.raises(UnknownTokensError) as caught:
            encode_prime(text, ABC)
        assert "replace" not in str(caught.value)
    with pytest.raises(UnknownTokensError, match="`unknown=replace`"):
        encode_prime("romeo router", PLAY)  # the router becomes <unk>
    with pytest.raises(UnknownTokensError) as caught:
        encode_prime("a☕", ABC)
    assert "replace" not in str(caught.value)
    assert "`unknown=skip`" in str(caught.value)
    assert caught.value.fact == "the model does not know '☕' at position 2."


def test_the_closest_known_characters_replace_unknown_ones():
    assert encode_prime("“Él” — ça…", ABC, "replace") == ABC.encode('"El" -- ca...')
    assert encode_prime("Яб", ABC, "replace") == ABC.encode("yab")
    with pytest.raises(UsageError, match=r"the model knows nothing similar to '☕' at position 2"):
        encode_prime("a☕", ABC, "replace")


def test_at_most_five_unknown_characters_are_named():
    with pytest.raises(UsageError, match=r"'1' at position 1, .*'5' at position 5 and 2 more\."):
        encode_prime("1234567", ABC)


def test_positions_count_from_the_text_that_was_added():
    with pytest.raises(UsageError, match="'!' at position 3"):
        encode_prime("ab!", ABC, before="some text. ")
    with pytest.raises(UsageError, match="'Juliet' at position 2"):
        encode_prime(" Romeo Juliet", PLAY, before="ROMEO: to be,")


def test_a_word_models_prime():
    assert PLAY.decode(encode_prime("ROMEO: to  be ", PLAY)) == ["ROMEO", "||Colon||", "to", "be"]
    with pytest.raises(UsageError, match="'Juliet' at position 2"):
        encode_prime("Romeo Juliet", PLAY)
    assert encode_prime("Romeo Juliet", PLAY, "skip") == PLAY.encode(["Romeo"])
    assert encode_prime("romeo café Romoe router", PLAY, "replace") == PLAY.encode(["Romeo", "cafe", "Romeo", "<unk>"])


def test_the_words_that_become_unk_are_kept():
    assert prime.encode_prime("romeo router to — be", PLAY, "replace").unknown == ("router", "—")
    assert prime.encode_prime("romeo to be", PLAY, "replace").unknown == ()
    ptb = Vocabulary("word", ("<unk>", "to", "<eos>"), unknown=0, split_on="whitespace")
    assert prime.encode_prime("to <unk> be", ptb, "replace") == ([1, 0, 0], ("<unk>", "be"))


def test_punctuation_is_replaced_by_the_closest_known():
    marks = {"||QuotationMark||": '"', "||Dash||": "--"}
    model = Vocabulary("word", ("to", "be", *marks), marks=marks)
    assert model.decode(encode_prime("to “be” —", model, "replace")) == [
        *("to", "||QuotationMark||", "be", "||QuotationMark||", "||Dash||")
    ]
    with pytest.raises(UsageError, match=r"'“' at position 2 \(closest known: '\"'\)"):
        encode_prime("to “be”", model)


def test_a_lowercase_model_takes_a_prime_in_any_case():
    low = Vocabulary("word", ("to", "be"), lowercase=True)
    assert encode_prime("To BE", low) == [0, 1]


def test_a_prime_of_several_documents_has_their_ends():
    assert POEMS.decode(encode_prime("a\0b", POEMS)) == ["a", "<eod>", "b"]


def test_without_a_prime_a_document_end_or_a_line_break_comes_first():
    assert POEMS.tokens[first_token(POEMS)] == "<eod>"
    assert ABC.tokens[first_token(ABC)] == "\n"
    assert PLAY.tokens[first_token(PLAY)] == "||Return||"
    assert first_token(Vocabulary("char", ("a", "b"))) == 1


def test_the_text_of_a_prime_has_the_words_that_unk_stands_for():
    encoded = EncodedPrime(PLAY.encode(["to", "<unk>", "be", "<unk>"]), ("eat",))
    assert prime_text(encoded, PLAY) == "to eat be <unk>"
    assert prime_text(EncodedPrime([]), PLAY) == ""


def test_the_text_of_a_finished_prime_shows_an_unfinished_character():
    octets = Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256)))
    half = prime.encode_prime("a\udcc3", octets)
    assert (prime_text(half, octets), prime_text(half, octets, finished=True)) == ("a", "a\ufffd")
