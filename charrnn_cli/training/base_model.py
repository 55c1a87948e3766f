"""Chooses the bundled model that a new run of the preset `auto` starts from, if one is expected to help.

Every bundled model of characters scores a small sample of the text, without learning from it. docs/training.md has the
measurements behind the limits of the rule.
"""

import bz2
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import CharrnnError
from charrnn_cli.network.loss import cross_entropy
from charrnn_cli.network.model import trained_model
from charrnn_cli.network.precision import exact_products
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.folders import Run, bundled_models
from charrnn_cli.runs.models import Config
from charrnn_cli.text.corpus import Corpus, check_ids
from charrnn_cli.text.token_ids import TokenIds
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.transfer import matched_ids

MOST_TOKENS = 20_000_000  # a longer text teaches a network as much as a bundled model has learned
LEAST_KNOWN = 0.95  # of the text, in characters that the model knows: other scripts have less
MOST_OF_FREQUENCIES = 0.76  # of the loss by the frequencies of the characters: other languages have more
MOST_OF_COMPRESSED = 1.3  # of the loss by bzip2: a repetitive text is learned faster by a small network
# Of the loss on the held-out text of the model. A model predicts so well only what it has read; then what the new run
# holds out would be known as well, and the validation loss would say nothing.
LEAST_OF_HELD_OUT = 0.95
STREAMS, READ_FIRST, SCORED = 16, 32, 64  # the sample: pieces of the text, and what is read and scored of each
COUNTED, COMPRESSED = 1 << 20, 200_000  # tokens for the frequencies, and for bzip2
SMALLEST = 1e-12  # a frequency whose logarithm is finite

_Ids = NDArray[np.int64]


@dataclass(frozen=True)
class BaseModel:
    """A bundled model, and how well it predicts a text that it has not learned, in nats per character."""

    run: Run
    settings: ModelSettings
    loss: float


def best_base_model(corpus: Corpus, vocabulary: Vocabulary, network: ModelSettings) -> BaseModel | None:
    """The bundled model to start from instead of training `network` from scratch; None if none is expected to help.

    A bundled model that is smaller than the network would learn less in the time of the run. For a short list, any
    model helps, whatever its loss.
    """
    tokens = corpus.split("train")
    if vocabulary.level != "char" or not READ_FIRST + SCORED < len(tokens) <= MOST_TOKENS:
        return None
    sample, beginning = _sample(tokens), tokens[:COUNTED]
    for ids in (sample, beginning):
        check_ids(ids, len(vocabulary))
    frequencies = np.bincount(beginning, minlength=len(vocabulary)) / len(beginning)  # (V,)
    limit = math.inf if corpus.info.short_list else _highest_loss(frequencies, tokens[:COMPRESSED], vocabulary)
    scored = _scored(sample, vocabulary, frequencies, network)
    return min((model for model in scored if model.loss < limit), key=lambda model: model.loss, default=None)


def _highest_loss(frequencies: NDArray[np.float64], tokens: TokenIds, vocabulary: Vocabulary) -> float:
    """The loss below which a bundled model helps, in nats per character."""
    by_frequency = -float(frequencies @ np.log(np.maximum(frequencies, SMALLEST)))
    text = "".join(vocabulary.decode(tokens.tolist()))
    by_compression = 8 * math.log(2) * len(bz2.compress(text.encode("utf-8", "surrogatepass"))) / len(tokens)
    return min(MOST_OF_FREQUENCIES * by_frequency, MOST_OF_COMPRESSED * by_compression)


def _scored(
    sample: _Ids, vocabulary: Vocabulary, frequencies: NDArray[np.float64], network: ModelSettings
) -> Iterator[BaseModel]:
    """The bundled models that know the characters, were not trained on the text and are not smaller than `network`.

    A model whose files cannot be read is skipped, because the user did not ask for it.
    """
    for run in bundled_models():
        try:
            settings, known = Config.load(run.config).model, Vocabulary.load(run.vocabulary)
            ids = matched_ids(vocabulary, known)
            if known.level != "char" or settings.hidden < network.hidden or frequencies @ (ids >= 0) < LEAST_KNOWN:
                continue
            loss, held_out_loss = _loss(run, ids[sample])
        except CharrnnError:
            continue
        if loss > LEAST_OF_HELD_OUT * held_out_loss:
            yield BaseModel(run, settings, loss)


def _sample(tokens: TokenIds) -> _Ids:
    """Pieces of a text at equal distances, (B, T + 1)."""
    length = READ_FIRST + SCORED + 1
    starts = np.linspace(0, len(tokens) - length, STREAMS).astype(np.int64)
    return np.stack([tokens[start : start + length] for start in starts]).astype(np.int64)


def _loss(run: Run, sample: _Ids) -> tuple[float, float]:
    """The loss of a model on a sample (B, T + 1) of its ids, and on its own held-out text, in nats per token.

    Unknown characters, -1, are read as the first known one, and predicted as if all tokens were equally likely.
    """
    stored = load_checked_model(run)
    model = trained_model(stored.settings, stored.weights, torch.device("cpu")).eval()
    x, y = torch.from_numpy(sample[:, :-1]).clamp(min=0), torch.from_numpy(sample[:, 1:])  # (B, T)
    with torch.no_grad(), exact_products("cpu"):
        logits, _ = model(x, model.zero_state(len(x)))  # (B, T, V)
        losses = cross_entropy(logits, y.clamp(min=0), "none")
    losses = torch.where(y < 0, math.log(len(stored.vocabulary)), losses)[:, READ_FIRST:]
    return losses.mean().item(), stored.summary.valid_loss or 0.0
