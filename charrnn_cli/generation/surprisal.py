"""How unexpected each token of a text is, from the first one on.

The text is read in one pass, and only a window of it is in memory. Each document starts as a text that the model
writes: from the initial state. Sizes: T tokens, V tokens of the vocabulary.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.errors import RunError, TextError
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.sampling import BROKEN
from charrnn_cli.network.loss import MOST_LOGITS, SCORING_WINDOW, Network
from charrnn_cli.network.precision import exact_products
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.text.scorable import NO_TOKEN, TokenPart
from charrnn_cli.text.tokenizer import is_space, line_end
from charrnn_cli.text.vocabulary import EOD, Vocabulary
from charrnn_cli.threads import Threads


class TokenSurprisal(NamedTuple):
    """A token, and the prediction in its place."""

    line: int  # from 1
    position: int  # of the token in its line, from 1
    token: str  # as the text has it, in the form of the vocabulary
    surprisal: float  # -log2 of its probability, in bits
    entropy: float  # of the prediction, in bits
    rank: int  # 1: no token was likelier
    unknown: bool  # whether the model read <unk> in its place


class SurprisalStep(NamedTuple):
    """A token, or None after the last token of a document; and the surprisal of white space in its place, in bits."""

    token: TokenSurprisal | None
    word_end: float  # that any white space follows; 0 for a model of words, whose tokens contain their end


class Predictions(NamedTuple):
    """What a model predicted in the places of T tokens; (T,) each."""

    surprisal: list[float]
    entropy: list[float]
    rank: list[int]
    word_end: list[float]


class Predictor:
    """Reads a text window by window, and predicts every token of it."""

    def __init__(self, network: Network, vocabulary: Vocabulary, device: torch.device, threads: Threads) -> None:
        network.train(False)
        self._network, self._vocabulary, self._device, self._threads = network, vocabulary, device, threads
        self._exact = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        ends = [k for k, token in enumerate(vocabulary.tokens) if is_space(token, vocabulary.level)]
        if vocabulary.end is not None and vocabulary.level != "word":
            ends.append(vocabulary.end)
        self._word_ends = torch.tensor(ends, dtype=torch.int64, device=device)
        self.window = max(1, min(SCORING_WINDOW, MOST_LOGITS // len(vocabulary)))
        self.restart()

    def restart(self) -> None:
        """Forgets everything, as before a text."""
        self._state, self._last = self._network.zero_state(1), first_token(self._vocabulary)

    def read(self, ids: NDArray[np.int32]) -> Predictions:
        """Predicts each of the tokens `ids` (T,), then reads it. Raises RunError if the weights are corrupt."""
        check_ids(ids, len(self._vocabulary))
        log_p = self._read([self._last, *ids[:-1].tolist()])  # (T, V)
        self._last = int(ids[-1])
        own = log_p.gather(1, torch.as_tensor(ids.astype(np.int64), device=self._device)[:, None])  # (T, 1)
        return Predictions(
            _bits(own[:, 0]),
            _bits((log_p.exp() * log_p).sum(1)),
            (1 + (log_p > own).sum(1)).tolist(),
            self._word_end(log_p),
        )

    def word_end(self) -> float:
        """The surprisal of white space after the last token."""
        return self._word_end(self._read([self._last]))[0]

    def _read(self, inputs: list[int]) -> Tensor:
        """The log-probabilities (T, V) after each of the inputs (T,), in nats."""
        self._threads.start()
        with torch.no_grad(), exact_products(self._device.type):
            logits, self._state = self._network(torch.tensor([inputs], device=self._device), self._state)  # (1, T, V)
            log_p = logits[0].to(self._exact).log_softmax(1)  # (T, V)
        self._threads.stop()
        if not log_p.isfinite().all():
            raise RunError(BROKEN)
        return log_p

    def _word_end(self, log_p: Tensor) -> list[float]:
        """The surprisal of any white space in T places, from log-probabilities (T, V)."""
        if not len(self._word_ends):
            return [0.0] * len(log_p)
        return _bits(log_p[:, self._word_ends].logsumexp(1))


def surprisal_steps(
    predictor: Predictor, parts: Iterable[TokenPart], vocabulary: Vocabulary
) -> Iterator[SurprisalStep]:
    """Every token of a text, and a step after each document. Raises TextError for a text without tokens, RunError."""
    line_ends = {line_end(vocabulary), EOD}
    line, position, in_document, is_empty = 1, 1, False, True
    for tokens, ids in _windows(parts, predictor.window):
        known = ids[ids != NO_TOKEN]
        unknown = (known == (NO_TOKEN if vocabulary.unknown is None else vocabulary.unknown)).tolist()
        predictions = predictor.read(known) if len(known) else Predictions([], [], [], [])
        for token, surprisal, entropy, rank, word_end, is_unknown in zip(tokens, *predictions, unknown, strict=False):
            yield SurprisalStep(TokenSurprisal(line, position, token, surprisal, entropy, rank, is_unknown), word_end)
            line, position = (line + 1, 1) if token in line_ends else (line, position + 1)
        in_document, is_empty = tokens[-1] != EOD, is_empty and not len(known)
        if not in_document:
            yield SurprisalStep(None, predictor.word_end())
            predictor.restart()
            line, position = (line + 1, 1) if ids[-1] == NO_TOKEN else (line, position)
    if in_document:
        yield SurprisalStep(None, predictor.word_end())
    if is_empty:
        raise TextError("the text has no tokens. Pass another one.")


def token_surprisals(text: Iterable[SurprisalStep]) -> Iterator[TokenSurprisal]:
    """The tokens of a text, without the steps after documents."""
    return (step.token for step in text if step.token is not None)


def _windows(parts: Iterable[TokenPart], size: int) -> Iterator[tuple[list[str], NDArray[np.int32]]]:
    """A text in windows of at most `size` tokens; the end of a document is the last token of a window."""
    for part in parts:
        start = 0
        while start < len(part.tokens):
            tokens = part.tokens[start : start + size]
            if EOD in tokens:
                tokens = tokens[: tokens.index(EOD) + 1]
            yield tokens, part.ids[start : start + len(tokens)]
            start += len(tokens)


def _bits(log_p: Tensor) -> list[float]:
    """Logarithms in nats as bits of surprisal; rounding makes none negative."""
    bits: list[float] = (-log_p / math.log(2)).clamp_min(0.0).add(0.0).tolist()
    return bits
