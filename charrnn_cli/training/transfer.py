"""Fine-tuning: puts the weights of a trained model into a new one, token by token."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import UsageError
from charrnn_cli.network.model import LanguageModel, get_weights, set_weights
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.text.vocabulary import Vocabulary

TOKEN_ROWS = ("embedding.weight", "head.weight", "head.bias")  # weights with a row for each token
TOKEN_COLUMNS = "rnn.weight_ih_l0"  # the weight with a column for each token, if the input is one-hot

_Weight = NDArray[np.float32]
_Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Matched:
    """How the tokens of a new text match those of a trained model."""

    origin: str  # the name of the trained model
    kept: int  # tokens in both vocabularies
    new: int  # tokens that the trained model does not have
    left: int  # tokens that the new text does not have


def transfer(origin: StoredModel, name: str, model: LanguageModel, vocabulary: Vocabulary) -> Matched:
    """Copies the weights of the trained model `origin`, called `name`, into a `model` of the same shape.

    Two vocabularies give different ids to the same token, even if they are equally large, so weights of tokens are
    matched by the tokens. Raises UsageError if the vocabularies have nothing in common.
    """
    if origin.vocabulary.level != vocabulary.level:
        raise UsageError(
            f"`origin={name}` is a model of level {origin.vocabulary.level}, but this run has level "
            f"{vocabulary.level}. Prepare the text again with another `name` and `level={origin.vocabulary.level}`."
        )
    trained_ids = origin.vocabulary.ids
    pairs = [(id, trained_ids[token]) for token, id in vocabulary.ids.items() if token in trained_ids]
    if not pairs:
        raise UsageError(f"`origin={name}`: its vocabulary and that of this run have nothing in common.")
    new_ids, old_ids = (np.array(ids, np.int64) for ids in zip(*pairs, strict=True))
    trained = {key: np.asarray(weight, np.float32) for key, weight in origin.weights.items()}
    weights = {
        key: _matched_weight(key, weight, trained, new_ids, old_ids, one_hot=model.embedding is None)
        for key, weight in get_weights(model).items()
    }
    set_weights(model, weights)
    return Matched(name, len(pairs), len(vocabulary) - len(pairs), len(origin.vocabulary) - len(pairs))


def _matched_weight(
    key: str,
    fresh: _Weight,
    trained: Mapping[str, _Weight],
    new_ids: _Ids,
    old_ids: _Ids,
    one_hot: bool,
) -> _Weight:
    """The trained weight; for new tokens the fresh one, with a bias as low as the lowest of a known token."""
    if key in TOKEN_ROWS:
        weight = fresh.copy()
        if key == "head.bias":
            weight[:] = trained[key].min()
        weight[new_ids] = trained[key][old_ids]
        return weight
    if key == TOKEN_COLUMNS and one_hot:
        weight = fresh.copy()
        weight[:, new_ids] = trained[key][:, old_ids]
        return weight
    return trained[key]
