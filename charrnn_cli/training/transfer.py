"""Fine-tuning: a new model that begins with the weights of a trained one, token by token."""

from dataclasses import dataclass

import numpy as np

from charrnn_cli.errors import UsageError
from charrnn_cli.network.model import LanguageModel, get_weights, set_weights
from charrnn_cli.runs.models import Model
from charrnn_cli.text.vocabulary import Vocabulary

ROWS = ("embedding.weight", "head.weight", "head.bias")  # of which each token has one
COLUMNS = "rnn.weight_ih_l0"  # of which each token has one, where the input is one-hot


@dataclass(frozen=True)
class Matched:
    """What became of the tokens."""

    origin: str  # the model's name
    kept: int  # tokens that both know
    new: int  # that begin with fresh weights
    left: int  # that the new text has not


def transfer(origin: Model, name: str, model: LanguageModel, vocabulary: Vocabulary) -> Matched:
    """Puts the weights of `origin` into a `model` of the same shape: rows of tokens where those are the same.

    Ids differ between two vocabularies even of one size, so rows are matched by their tokens. A new token keeps the
    fresh row of `model`, its bias as low as the lowest known one. Raises UsageError where there is nothing to match.
    """
    if origin.vocabulary.level != vocabulary.level:
        raise UsageError(
            f"--from {name} is a model of level {origin.vocabulary.level}, and this run's is {vocabulary.level}. "
            f"Prepare the text anew: charrnn prepare TEXT --level {origin.vocabulary.level} --name NAME"
        )
    there = origin.vocabulary.ids
    known = [(id, there[token]) for token, id in vocabulary.ids.items() if token in there]
    if not known:
        raise UsageError(f"--from {name}: its vocabulary and this run's have nothing in common.")
    ours, theirs = (np.array(ids) for ids in zip(*known, strict=True))
    weights, given = get_weights(model), {key: np.asarray(a, np.float32) for key, a in origin.weights.items()}
    for key, array in weights.items():
        if key in ROWS:
            fresh = array.copy()
            if key == "head.bias":
                fresh[:] = given[key].min()
            fresh[ours] = given[key][theirs]
            weights[key] = fresh
        elif key == COLUMNS and model.embedding is None:
            weights[key] = array.copy()
            weights[key][:, ours] = given[key][:, theirs]
        else:
            weights[key] = given[key]
    set_weights(model, weights)
    return Matched(name, len(known), len(vocabulary) - len(known), len(origin.vocabulary) - len(known))
