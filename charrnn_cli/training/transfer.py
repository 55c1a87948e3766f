"""Fine-tuning: puts the weights of a trained model into a new one, token by token."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import UsageError
from charrnn_cli.network.model import LanguageModel, get_weights, set_weights
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.text.closest import closest_known
from charrnn_cli.text.vocabulary import Vocabulary

TOKEN_BIAS = "head.bias"  # a number for each token
TOKEN_ROWS = ("embedding.weight", "head.weight")  # weights with a row for each token
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

    Two vocabularies may give different ids to the same token, even if they have the same size. So the weights of tokens
    are matched by the tokens themselves. A new character starts with the weights of the most similar known one, such as
    e for é, but every new token gets the lowest output bias of the trained model. Raises UsageError if the vocabularies
    have nothing in common.
    """
    if origin.vocabulary.level != vocabulary.level:
        raise UsageError(
            f"`origin={name}` is a model of level {origin.vocabulary.level}, but this run has level "
            f"{vocabulary.level}. Prepare the text again with another `name` and `level={origin.vocabulary.level}`."
        )
    ids = matched_ids(vocabulary, origin.vocabulary).tolist()
    known = {new: old for new, old in enumerate(ids) if old >= 0}
    if not known:
        raise UsageError(f"`origin={name}`: its vocabulary and that of this run have nothing in common.")
    similar = _similar(vocabulary, origin.vocabulary)
    trained = {key: np.asarray(weight, np.float32) for key, weight in origin.weights.items()}
    weights = {
        key: _matched_weight(key, weight, trained, known, similar, one_hot=model.embedding is None)
        for key, weight in get_weights(model).items()
    }
    set_weights(model, weights)
    left = len(origin.vocabulary) - len(set(known.values()))
    return Matched(name, len(known), len(vocabulary) - len(known), left)


def matched_ids(vocabulary: Vocabulary, trained: Vocabulary) -> _Ids:
    """The id that each token has in the vocabulary of a trained model, (V,); -1 if it has none.

    For a model that has learned no end of a document, it is the end of a line.
    """
    tokens = list(vocabulary.tokens)
    if vocabulary.end is not None and trained.end is None:
        tokens[vocabulary.end] = "\n"
    return np.array([trained.ids.get(token, -1) for token in tokens], np.int64)


def _similar(vocabulary: Vocabulary, trained: Vocabulary) -> dict[int, int]:
    """Maps the id of each new character to that of the most similar trained one, if it is a single character."""
    if vocabulary.level != "char":
        return {}
    new = {id: closest_known(token, trained) for token, id in vocabulary.ids.items() if token not in trained.ids}
    return {id: trained.ids[closest[0]] for id, closest in new.items() if len(closest) == 1}


def _matched_weight(
    key: str,
    fresh: _Weight,
    trained: Mapping[str, _Weight],
    known: Mapping[int, int],
    similar: Mapping[int, int],
    one_hot: bool,
) -> _Weight:
    """The trained weight. New tokens without a similar one keep `fresh`; all new tokens get the lowest trained bias."""
    if key == TOKEN_BIAS:
        bias = np.full_like(fresh, trained[key].min())
        bias[[*known]] = trained[key][[*known.values()]]
        return bias
    old_ids = {**known, **similar}
    weight = fresh.copy()
    if key in TOKEN_ROWS:
        weight[[*old_ids]] = trained[key][[*old_ids.values()]]
    elif key == TOKEN_COLUMNS and one_hot:
        weight[:, [*old_ids]] = trained[key][:, [*old_ids.values()]]
    else:
        return trained[key]
    return weight
