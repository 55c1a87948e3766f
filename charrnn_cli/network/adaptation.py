"""A network that keeps learning from the text that it reads: dynamic evaluation.

Krause et al., arXiv 1709.07432, the form with RMS and with decay to the original weights. The paper takes the RMS of
the gradients from the training text. A stored model comes without one, so here it is a running mean over the text that
is read.
Sizes: B streams, T tokens, V tokens of the vocabulary.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from charrnn_cli.config import ModelSettings
from charrnn_cli.network.loss import SCORING_WINDOW, cross_entropy
from charrnn_cli.network.model import HiddenState, LanguageModel, trained_model

SEGMENT = SCORING_WINDOW  # tokens per update
RATE = 1.2e-4
PULL = 2e-3  # of the distance to the original weights, per update
MEMORY = 0.999  # of the running mean of the squared gradients, per update


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
        self._updates = [torch.zeros((), device=weight.device) for weight in self._original]

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

        `share` is the length of the segment divided by that of a whole segment: a short one changes the weights less.
        """
        gradients = list(torch.autograd.grad(loss, self._weights))
        with torch.no_grad():
            adam(
                self._weights,
                gradients,
                gradients,  # the running mean of the gradients, which is the gradient itself if beta1 is 0
                self._squares,
                [],
                self._updates,
                lr=self._rate * math.sqrt(streams) * share,
                beta1=0.0,
                beta2=MEMORY,
                eps=1e-8,
                weight_decay=0.0,
                amsgrad=False,
                maximize=False,
                fused=True,
            )
            torch._foreach_lerp_(self._weights, self._original, self._pull * share)


def adaptive_network(
    settings: ModelSettings, weights: Mapping[str, NDArray[Any]], device: torch.device
) -> AdaptiveNetwork:
    """An adaptive network with the weights of a file, on a device.

    It is in training mode, because cuDNN computes gradients only in that mode. It has no dropout.
    """
    steady: dict[str, Any] = {"dropout": 0.0, "input_dropout": 0.0, "weight_drop": 0.0}
    return AdaptiveNetwork(trained_model(dataclasses.replace(settings, **steady), weights, device).train())
