import math

import numpy as np
import pytest
from batcher import ABC, ENGINES, Running, alone, request, result, shorten_blocks, small_engine

from charrnn_cli.generation.prefill import saved_positions
from charrnn_cli.generation.prompts import Prompt
from charrnn_cli.generation.sampling import log_probabilities

BLOCK = 64  # tokens in these tests
LONG = "".join(np.random.default_rng(0).choice(list("abcdefgh \n"), 12 * BLOCK))


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    shorten_blocks(monkeypatch, BLOCK)


def read(running, one):
    return running.run(one)[0][0]


def test_a_prompt_is_read_once():
    with Running() as running:
        assert read(running, request("far")).cached == 0
        assert read(running, request("far", seed=1)).cached == 2
        assert read(running, request("far away")).cached == 2
        assert read(running, request("far away", owner="another")).cached == 0
        assert read(running, request("fir")).cached == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("length", [BLOCK, 3 * BLOCK + 40, 8 * BLOCK, 9 * BLOCK + 30])
def test_the_cache_does_not_change_a_text(engine, length):
    engine = small_engine(engine)
    texts = [LONG[:length], LONG[:length] + "abc", LONG[: length - 10] + "x", LONG[: length - 40] + "xy"]
    expected = [alone(engine, request(text)) for text in texts]
    with Running(engine) as running:
        for _ in range(2):
            for text, right in zip(texts, expected, strict=True):
                assert result(running.run(request(text))[0]) == right
        assert read(running, request(texts[-1])).cached == len(texts[-1]) - 1


def test_an_edit_at_the_end_of_a_long_prompt_reads_little():
    text = LONG[: 8 * BLOCK + BLOCK // 2]
    with Running() as running:
        assert read(running, request(text)).cached == 0
        assert read(running, request(text + "abc")).cached == len(text) - 1
        assert read(running, request(text[:-3] + "x")).cached >= len(text) - 9
        assert read(running, request(text[:-20] + "x")).cached >= len(text) - 33


def test_positions_that_are_saved():
    def positions(length):
        return saved_positions(Prompt(np.zeros(length, np.uint16), length))

    assert positions(1) == []
    assert positions(4) == [3]
    assert positions(BLOCK) == [BLOCK - 1]
    assert positions(2 * BLOCK + 21) == [BLOCK, *(2 * BLOCK + place for place in (20 - 32, 0, 12, 18, 20))]


def test_the_tokens_of_a_prompt_are_scored():
    engine = small_engine()
    with Running(engine) as running:
        found = read(running, request("far away", prompt_scored=True, alternatives=3, echo=True, length=0))
    assert found.text == "far away"
    ids = [token.id for token in found.tokens]
    assert ids == ABC.encode("far away")
    assert math.isnan(found.tokens[0].log_probability)
    state = engine.start(1)
    for position, token in enumerate(found.tokens[1:]):
        logits, state = engine.step(np.array(ids[position : position + 1]), state)
        scores = [float(log_probabilities(logits.astype(float), np.array([id]))[0]) for id in range(len(ABC))]
        assert token.log_probability == scores[token.id]
        order = sorted(range(len(ABC)), key=lambda id: -scores[id])[:3]
        assert token.alternatives == tuple((id, scores[id]) for id in order)


def test_a_text_without_a_prompt_has_no_token_to_score():
    with Running() as running:
        assert read(running, request("", prompt_scored=True)).tokens == ()
