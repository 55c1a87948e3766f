import pytest
from fake_engine import TinyModel, ask, served

from charrnn_cli.text.vocabulary import EOD, EOS, Vocabulary
from charrnn_cli.web.tokens import tokenizer_info


def test_a_text_becomes_ids_and_a_text_again():
    answer = ask("POST", "/tokenize", {"prompt": "cab", "add_special_tokens": False, "return_token_strs": True}).json
    assert (answer["tokens"], answer["count"], answer["token_strs"]) == ([2, 0, 1], 3, ["c", "a", "b"])
    assert ask("POST", "/detokenize", {"tokens": answer["tokens"]}).json == {"prompt": "cab"}


def test_what_is_unknown_is_reported_or_skipped():
    assert ask("POST", "/tokenize", {"prompt": "aä"}).status == 400
    assert ask("POST", "/tokenize", {"prompt": "aä"}, unknown="skip").json["tokens"] == [0]
    assert ask("POST", "/tokenize", {"prompt": "aä", "unknown": "skip"}).json["tokens"] == [0]
    assert ask("POST", "/detokenize", {"tokens": [5]}).status == 400


@pytest.mark.parametrize(
    "vocabulary",
    [
        TinyModel.vocabulary,
        Vocabulary("char", ("a", EOD), end=1),
        Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256))),
        Vocabulary("word", ("<unk>", "far", EOS), unknown=0, split_on="whitespace"),
        Vocabulary("word", ("<unk>", "far", EOS, EOD), unknown=0, split_on="whitespace", end=3),
    ],
)
def test_the_end_of_text_is_the_token_that_the_model_reads_before_a_text(vocabulary):
    """Harnesses score a text after it."""
    model = TinyModel()
    model.vocabulary = vocabulary
    one = served("one", model)
    info = tokenizer_info(one)
    assert info["eos_token"] == info["bos_token"]
    assert one.model.encode(info["eos_token"]).ids == one.encoder.of_ids([]).ids.tolist()
