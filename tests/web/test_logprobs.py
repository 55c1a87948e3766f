import math

from charrnn_cli.generation.prompts import PromptEncoder
from charrnn_cli.generation.requests import ScoredToken
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.web.logprobs import LogprobsWriter

WORDS = Vocabulary("word", ("<unk>", "far", "near"), unknown=0, split_on="whitespace")


def test_positions_count_the_characters_of_the_joined_text():
    encoder = PromptEncoder(WORDS)
    writer = LogprobsWriter(WORDS, encoder.encode("far"), echo=False)
    first = writer.add([ScoredToken(1, -1.0), ScoredToken(2, -2.0)])
    second = writer.add([ScoredToken(1, -3.0)])
    assert first.tokens + second.tokens == ["far", "near", "far"]
    assert first.text_offset + second.text_offset == [0, 4, 9]  # of " far near far"


def test_a_word_of_the_prompt_that_is_unknown_has_its_own_length():
    prompt = PromptEncoder(WORDS).encode("far zebra near", "replace")
    writer = LogprobsWriter(WORDS, prompt, echo=True)
    part = writer.add([ScoredToken(id, -1.0) for id in prompt.ids.tolist()])
    assert part.tokens == ["far", "<unk>", "near"]
    assert part.text_offset == [0, 3, 9]  # of "far zebra near"


def test_the_first_token_has_no_score_and_the_others_have_the_likeliest_and_themselves():
    letters = Vocabulary("char", ("a", "b", "c"))
    prompt = PromptEncoder(letters).encode("ab")
    part = LogprobsWriter(letters, prompt, echo=True).add(
        [ScoredToken(0, math.nan), ScoredToken(1, -2.0, ((0, -0.5),)), ScoredToken(0, -0.5, ((0, -0.5),))]
    )
    assert part.token_logprobs == [None, -2.0, -0.5]
    assert part.top_logprobs == [None, {"a": -0.5, "b": -2.0}, {"a": -0.5}]
