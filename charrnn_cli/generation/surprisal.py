"""How unexpected each token of a text is, from the first one on.

Only a part of the text is in memory. Each document starts as a text that the model
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
from charrnn_cli.network.loss import LONG_WARM_UP, SCORING_WINDOW, Network, Streams, cut_streams
from charrnn_cli.network.model import HiddenState
from charrnn_cli.network.precision import exact_products
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.text.scorable import NO_TOKEN, TokenPart
from charrnn_cli.text.tokenizer import ends_word, line_end
from charrnn_cli.text.vocabulary import EOD, Vocabulary
from charrnn_cli.threads import Threads

LONGEST_PART = 1 << 17  # tokens that are cut into streams at once
FIRST_PIECE = 1 << 10
LOGITS_AT_ONCE = 8  # arrays as large as the logits that are in memory at the same time, in numbers of 4 bytes


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
    """Reads a text part by part, and predicts every token of it.

    A long part is cut into streams that are read side by side. Each but the first reads the tokens before it to get its
    hidden state, so its predictions are close to those of a single pass. `exact` reads in a single pass.
    """

    def __init__(
        self, network: Network, vocabulary: Vocabulary, device: torch.device, threads: Threads, exact: bool = False
    ) -> None:
        network.train(False)
        self._network, self._vocabulary, self._device, self._threads = network, vocabulary, device, threads
        self._float = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        ends = [k for k, token in enumerate(vocabulary.tokens) if ends_word(token, vocabulary.level)]
        if vocabulary.end is not None and vocabulary.level != "word":
            ends.append(vocabulary.end)
        self._word_ends = torch.tensor(ends, dtype=torch.int64, device=device)
        self._warm_up = None if exact else LONG_WARM_UP
        self.longest = SCORING_WINDOW if exact else LONGEST_PART  # tokens of a part
        self.restart()

    def restart(self) -> None:
        """Forgets everything, as before a text."""
        self._state, self._last = self._network.zero_state(1), first_token(self._vocabulary)

    def read(self, ids: NDArray[np.int32]) -> Predictions:
        """Predicts each of the tokens `ids` (T,), then reads it. Raises RunError if the weights are corrupt."""
        check_ids(ids, len(self._vocabulary))
        B = len(self._cut(len(ids)).starts)
        even = len(ids) // B * B  # streams of the same length, so that the state of the last one is that of the text
        parts = [self._predict(part) for part in np.split(ids, [even]) if len(part)]
        surprisal, entropy, rank, word_end = np.concatenate(parts, axis=1)
        return Predictions(surprisal.tolist(), entropy.tolist(), rank.astype(np.int64).tolist(), word_end.tolist())

    def word_end(self) -> float:
        """The surprisal of white space after the last token."""
        log_p, self._state = self._step(np.array([[self._last]]), self._state)
        return float(self._word_end(log_p)[0, 0])

    def _cut(self, tokens: int) -> Streams:
        return cut_streams(tokens, self._warm_up, LOGITS_AT_ONCE * len(self._vocabulary))

    def _predict(self, ids: NDArray[np.int32]) -> NDArray[np.float64]:
        """Surprisal, entropy, rank and `word_end` of the tokens `ids` (T,), as an array (4, T)."""
        streams = self._cut(len(ids))
        inputs = np.concatenate([[self._last], ids[:-1]]).astype(np.int64)  # (T,)
        predictions = np.empty((4, len(ids)))
        state = self._network.zero_state(len(streams.starts))
        for offset, positions in streams.windows():
            if offset == 0:  # the first stream continues the text before it
                for part, before in zip(state, self._state, strict=True):  # (layers, B, H)
                    part[:, 0] = before[:, 0]
            log_p, state = self._step(inputs[positions.clip(0)], state)  # (B, window, V)
            if offset >= 0:
                own = log_p.gather(2, torch.as_tensor(ids[positions].astype(np.int64), device=self._device)[..., None])
                measures = (_bits(own[..., 0]), _bits((log_p.exp() * log_p).sum(2)), 1 + (log_p > own).sum(2))
                predictions[:, positions] = torch.stack([*measures, self._word_end(log_p)]).cpu().numpy()
        self._state, self._last = tuple(part[:, -1:].clone() for part in state), int(ids[-1])
        return predictions

    def _step(self, inputs: NDArray[np.int64], state: HiddenState) -> tuple[Tensor, HiddenState]:
        """The log-probabilities (B, T, V) after each of the inputs (B, T), in nats, and the state."""
        self._threads.start()
        with torch.no_grad(), exact_products(self._device.type):
            logits, state = self._network(torch.as_tensor(inputs, device=self._device), state)  # (B, T, V)
            log_p = logits.to(self._float).log_softmax(2)
        self._threads.stop()
        if not log_p.isfinite().all():
            raise RunError(BROKEN)
        return log_p, state

    def _word_end(self, log_p: Tensor) -> Tensor:
        """The surprisal of any white space (B, T), from log-probabilities (B, T, V)."""
        if not len(self._word_ends):
            return torch.zeros_like(log_p[..., 0])
        return _bits(log_p[..., self._word_ends].logsumexp(2))


def surprisal_steps(
    predictor: Predictor, parts: Iterable[TokenPart], vocabulary: Vocabulary
) -> Iterator[SurprisalStep]:
    """Every token of a text, and a step after each document. Raises TextError for a text without tokens, RunError."""
    line_ends = {line_end(vocabulary), EOD}
    line, position, in_document, is_empty = 1, 1, False, True
    for tokens, ids in _pieces(parts, predictor.longest):
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


def _pieces(parts: Iterable[TokenPart], longest: int) -> Iterator[tuple[list[str], NDArray[np.int32]]]:
    """A text in pieces of at most `longest` tokens; the end of a document is the last token of a piece.

    The first pieces are short, so that the first results come early.
    """
    size = min(FIRST_PIECE, longest)
    for part in parts:
        ends = [number for number, token in enumerate(part.tokens, 1) if token == EOD]
        start = 0
        for end in (*ends, len(part.tokens)):
            while start < end:
                stop = min(start + size, end)
                yield part.tokens[start:stop], part.ids[start:stop]
                start, size = stop, min(4 * size, longest)


def _bits(log_p: Tensor) -> Tensor:
    """Logarithms in nats as bits of surprisal; rounding makes none negative."""
    return (-log_p / math.log(2)).clamp_min(0.0).add(0.0)
