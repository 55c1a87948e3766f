import math

import numpy as np
import pytest

from charrnn_cli.generation.results import Prediction, Text, TextScore, TokenScore, whole_texts
from charrnn_cli.generation.texts import Piece, Sample

PREDICTION = Prediction(("a", "b", "<unk>"), np.array([0.25, 0.5, 0.25]))


def test_the_text_is_the_prime_and_what_was_written():
    text = Text("Far", "away", "length", 1, 0, 4, -2.0, (), 0.8)
    assert str(text) == "Faraway"
    assert text == Text("Far", "away", "length", 1, 0, 4, -2.0, (), 0.8)


def test_surprisal_is_in_bits():
    assert TokenScore("a", -math.log(8)).surprisal == pytest.approx(3)


def test_bits_per_token_follow_from_the_loss():
    assert TextScore(math.log(4), 1, 4, 2, 4, 0, "torch", "CPU", 1.0).bits_per_token == pytest.approx(2)


def test_a_prediction_is_a_mapping():
    assert PREDICTION["b"] == 0.5
    assert dict(PREDICTION) == {"a": 0.25, "b": 0.5, "<unk>": 0.25}
    assert "c" not in PREDICTION
    assert len(PREDICTION) == 3
    with pytest.raises(KeyError):
        PREDICTION["c"]
    with pytest.raises(ValueError, match="read-only"):
        PREDICTION.probabilities[0] = 1


def test_the_likeliest_come_first_and_of_equal_ones_the_lower_id():
    assert PREDICTION.likeliest(2) == [("b", 0.5), ("a", 0.25)]
    assert PREDICTION.likeliest() == [("b", 0.5), ("a", 0.25), ("<unk>", 0.25)]


def test_texts_are_put_together_from_their_events():
    events = [
        Piece(3, "Fa", prime=True),
        Piece(3, "r"),
        Piece(3, "!"),
        Sample(3, "stop", 2, -1.5, (("r", -1.0), ("!", -0.5))),
        Piece(1, "Fa", prime=True),
        Sample(1, "length", 0, 0.0),
    ]
    assert list(whole_texts(events, 9, 0.8)) == [
        Text("Fa", "r!", "stop", 9, 3, 2, -1.5, (TokenScore("r", -1.0), TokenScore("!", -0.5)), 0.8),
        Text("Fa", "", "length", 9, 1, 0, 0.0, (), 0.8),
    ]
