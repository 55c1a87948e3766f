import numpy as np
import pytest
from batcher import ABC, Running, request, small_engine

from charrnn_cli.generation.batch import Slot, sampler_of
from charrnn_cli.generation.requests import Written
from charrnn_cli.generation.sampling import log_probabilities


def tokens_of(events):
    return [token for event in events if isinstance(event, Written) for token in event.tokens]


@pytest.mark.parametrize("options", [{}, {"repetition_penalty": 1.2}], ids=["together", "alone"])
def test_written_tokens_are_scored_with_their_alternatives(options):
    engine = small_engine()
    with Running(engine) as running:
        found, other = running.run(
            request(scored=True, alternatives=4, **options), request(seed=1, scored=True, alternatives=1, **options)
        )
    tokens = tokens_of(found)
    assert len(tokens) == 20
    assert {len(token.alternatives) for token in tokens_of(other)} == {1}
    state, before = engine.start(1), ABC.encode("far")
    for id in before[:-1]:
        _, state = engine.step(np.array([id]), state)
    last = before[-1]
    for token in tokens:
        logits, state = engine.step(np.array([last]), state)
        last = token.id
        expected = log_probabilities(logits.astype(float), np.array([last]))[0]
        assert token.log_probability == pytest.approx(expected, abs=1e-5)
        order = np.argsort(-logits[0], kind="stable")[:4]
        assert [id for id, _ in token.alternatives] == order.tolist()


def test_tokens_come_with_their_text():
    with Running() as running:
        for stop in ("e", "th", "qqqq"):
            for event in running.run(request(scored=True, stop=(stop,), length=200, seed=3))[0]:
                if isinstance(event, Written):
                    assert "".join(ABC.tokens[token.id] for token in event.tokens) == event.text


def test_a_bias_changes_what_is_written():
    with Running() as running:
        never, always = running.run(
            request(bias=tuple((id, -100.0) for id in ABC.encode("aeiou")), length=200),
            request(bias=((ABC.ids["z"], 100.0),), length=30),
        )
    written = "".join(event.text for event in never if isinstance(event, Written))
    assert len(written) == 200
    assert not set(written) & set("aeiou")
    assert "".join(event.text for event in always if isinstance(event, Written)) == "z" * 30


def test_random_numbers_do_not_depend_on_how_many_are_taken_at_once():
    def numbers(*counts):
        one = request(seed=5)
        row = Slot(one, sampler_of(one, ABC), ABC)
        taken = []
        for count in counts:
            taken += row.uniforms(count).tolist()
            row._uniforms = row._uniforms[count:]
        return taken

    assert numbers(*[16] * 40) == numbers(*[1] * 10, *[7] * 90) == numbers(*[5] * 128)
