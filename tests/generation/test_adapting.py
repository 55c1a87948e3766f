import numpy as np
import pytest
from support import train_small

from charrnn_cli.errors import UsageError
from charrnn_cli.generation import adapting
from charrnn_cli.generation.adapting import adapt
from charrnn_cli.generation.model import load

PRIME = "the quick brown fox " * 20


@pytest.mark.parametrize("streams", [1, 4])
def test_the_copy_predicts_the_text_better_and_the_model_stays_the_same(fox, streams, monkeypatch):
    monkeypatch.setattr(adapting, "STREAM_TOKENS", len(PRIME) // streams)
    train_small(fox)
    model = load(fox, engine="numpy", threads=1)
    before = {name: weight.copy() for name, weight in model.stored.weights.items()}
    shares: list[float] = []
    adapted = adapt(model, PRIME, progress=shares.append)
    assert adapted.score(PRIME).loss < model.score(PRIME).loss
    assert all(np.array_equal(before[name], weight) for name, weight in model.stored.weights.items())
    assert shares == sorted(shares)
    assert adapted.engine_name == "numpy"
    with pytest.raises(UsageError, match="another model"):
        model.generate(adapted.read("the"), length=1)


def test_a_single_token_teaches_nothing(trained):
    with pytest.raises(UsageError, match="fewer than two tokens"):
        adapt(load(trained, engine="numpy"), "t")
