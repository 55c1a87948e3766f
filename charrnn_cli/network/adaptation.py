"""A network that keeps learning from the text that it reads: dynamic evaluation.

Krause et al., arXiv 1709.07432, the form with RMS and with decay to the original weights. The paper takes the RMS of
the gradients from the training text. A stored model comes without one, so here it is a running mean over the text that
is read. A weight of a rare token has few gradients, so its mean square is a poor estimate: a tenth of the average mean
square of its tensor is added to it.
Sizes: B streams, T tokens, V tokens of the vocabulary.
"""

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor

from charrnn_cli.network.loss import SCORING_WINDOW, cross_entropy
from charrnn_cli.network.model import HiddenState, LanguageModel, trained_model
from charrnn_cli.runs.models import StoredModel

SEGMENT = SCORING_WINDOW  # tokens per update
RATE, WORD_RATE = 1.5e-4, 4e-4  # the second is for words, each of which gets few gradients
PULL = 3e-3  # of the distance to the original weights, per update
MEMORY = 0.999  # of the running mean of the squared gradients, per update
LEAST_RMS = 1e-8  # added to the RMS, so that it is not 0
DAMPING = 0.1  # the share of the tensor's mean square that is added to that of a weight


class AdaptiveNetwork:
    """A `LanguageModel` that predicts a segment of text, then learns from it. It changes the weights in place.

    The loss of a segment is that of all its tokens except the first. What the network learned stays when another text
    begins. The gradients of several streams have less noise, so the rate is higher with more streams.
    """

    training = False

    def __init__(self, model: LanguageModel, rate: float = RATE, pull: float = PULL, segment: int = SEGMENT) -> None:
        self.model, self.vocabulary_size = model, model.vocabulary_size
        self._rate, self._pull, self._segment = rate, pull, segment
        self._weights: list[Tensor] = list(model.parameters())
        self._original = [weight.detach().clone() for weight in self._weights]
        self._squares = [torch.zeros_like(weight) for weight in self._original]
        self._updates = 0

    def train(self, mode: bool = True) -> Any:
        """Does nothing: this network always learns, and never has dropout."""

    def zero_state(self, streams: int) -> HiddenState:
        """The state before any token."""
        return self.model.zero_state(streams)

    def __call__(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Ids (B, T) and state to logits (B, T, V) and state."""
        parts = []
        for ids in torch.split(x, self._segment, 1):
            with torch.enable_grad():
                logits, state = self.model(ids, state)  # (B, up to SEGMENT, V)
                if ids.shape[1] > 1:
                    self._learn(cross_entropy(logits[:, :-1], ids[:, 1:]), len(ids), ids.shape[1] / self._segment)
            state = tuple(part.detach() for part in state)
            parts.append(logits.detach())
        return torch.cat(parts, 1), state

    def _learn(self, loss: Tensor, streams: int, share: float) -> None:
        """weights += -rate * gradient / RMS, then weights += pull * (original - weights).

        The RMS is damped: DAMPING times the mean square of the whole tensor is added under the root.
        `share` is the length of the segment divided by that of a whole segment: a short one changes the weights less.
        """
        gradients = torch.autograd.grad(loss, self._weights)
        self._updates += 1
        known = 1 - MEMORY**self._updates  # the running mean starts at 0
        rate = self._rate * math.sqrt(streams) * share
        with torch.no_grad():
            torch._foreach_mul_(self._squares, MEMORY)
            torch._foreach_addcmul_(self._squares, gradients, gradients, value=1 - MEMORY)
            rms = torch._foreach_div(self._squares, known)
            for square in rms:
                square.add_(DAMPING * square.mean()).sqrt_().add_(LEAST_RMS)
            torch._foreach_addcdiv_(self._weights, gradients, rms, value=-rate)
            torch._foreach_lerp_(self._weights, self._original, self._pull * share)


def adaptive_network(model: StoredModel, device: torch.device) -> AdaptiveNetwork:
    """An adaptive network with the weights of a stored model, on a device.

    It is in training mode, because cuDNN computes gradients only in that mode. It has no dropout.
    """
    settings = dataclasses.replace(model.settings, dropout=0.0, input_dropout=0.0, weight_drop=0.0)
    rate = WORD_RATE if model.vocabulary.level == "word" else RATE
    return AdaptiveNetwork(trained_model(settings, model.weights, device).train(), rate)
