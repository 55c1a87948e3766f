"""The network: embedding, stacked recurrent layers, output layer. Ids and state go in, logits and state come out.

Sizes: B streams, T tokens, V tokens in the vocabulary, E embedding, L layers, H hidden.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charrnn_cli.config import ModelSettings
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.network.dropout import dropout
from charrnn_cli.network.recurrent import LayerFunction, first_streams, pad_streams, run_layer, short_type
from charrnn_cli.runs.weights import SCALE

HiddenState = tuple[Tensor, ...]  # a tensor (L, B, H) for each state of the cell: h, and for an LSTM c


class RecurrentStack(nn.Module):
    """L recurrent layers, each with its own weights.

    Dropout applies between layers and to the output, but not from token to token (Zaremba et al., arXiv 1409.2329).
    `weight_drop` is DropConnect on the recurrent weights (Merity et al., arXiv 1708.02182). `residual` adds the input
    of a layer to its output if both have H units. `layer_norm` (Ba et al., arXiv 1607.06450) normalizes the output of
    the stack and the input of each layer, but not the residual sum (Xiong et al., arXiv 2002.04745). Dropout comes
    after it: otherwise the variance that it normalizes would be different in training and in use.
    """

    def __init__(self, inputs: int, settings: ModelSettings) -> None:
        super().__init__()
        H = settings.hidden
        sizes = [inputs] + [H] * (settings.layers - 1)
        self.settings = settings
        self.cell = cell_spec(settings.cell)
        self.run_layer: LayerFunction = run_layer  # may be replaced, to get the state after every token
        self.layers = nn.ModuleList(self.cell.module(size, H) for size in sizes)
        self.residual = [settings.residual and size == H for size in sizes]
        normed = [settings.layer_norm and bool(settings.embedding), *[settings.layer_norm] * settings.layers]
        self.norms = nn.ModuleList(
            nn.LayerNorm(size) if norm else nn.Identity() for size, norm in zip([*sizes, H], normed, strict=True)
        )
        for layer in self.layers:
            self._initialize(layer)

    def _initialize(self, layer: nn.Module) -> None:
        """Draws the weights of a layer within `init_scale`, and sets the bias of its forget gate.

        A positive bias keeps the gate open at first, so that the layer remembers (Jozefowicz et al., 2015).
        """
        input_bias, state_bias = layer.get_parameter("bias_ih_l0").data, layer.get_parameter("bias_hh_l0").data
        scale = self.settings.init_scale
        if scale:
            for weight in layer.parameters():
                nn.init.uniform_(weight, -scale, scale)
            nn.init.zeros_(input_bias)
            nn.init.zeros_(state_bias)
        if self.cell.forget_gate is not None:
            start = self.cell.forget_gate * self.settings.hidden
            rows = slice(start, start + self.settings.hidden)
            nn.init.constant_(input_bias[rows], self.settings.forget_bias)
            nn.init.zeros_(state_bias[rows])

    def forward(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """x (T, B, inputs) and state to output (T, B, H) and state."""
        B = x.shape[1]
        if short_type(x.device):
            x, state = pad_streams(x, state)
        new_states: list[HiddenState] = []
        for k, layer in enumerate(self.layers):
            normed = self.norms[k](x)
            layer_input = self.drop(normed, self.settings.dropout) if k > 0 else normed
            layer_state = tuple(part[k : k + 1] for part in state)  # (1, B, H) each
            weights = self.weights_of(layer)
            output, new_state = self.run_layer(self.cell, weights, layer_input, layer_state, self.training)
            x = x + output.float() if self.residual[k] else output.float()  # (T, B, H)
            new_states.append(new_state)
        output = self.drop(self.norms[-1](first_streams(x, B)), self.settings.dropout)
        return output, tuple(first_streams(torch.cat(parts), B) for parts in zip(*new_states, strict=True))

    @property
    def matrices(self) -> list[nn.Parameter]:
        """The weights of the layers without their biases: (gates * H, inputs) and (gates * H, H) for each."""
        return [weight for weight in self.layers.parameters() if weight.dim() == 2]

    def weights_of(self, layer: nn.Module) -> list[Tensor]:
        """The weights of a layer in the order of `CellSpec`; with weight drop in training."""
        input_weight, recurrent_weight, *biases = layer.parameters()
        if not (self.settings.weight_drop and self.training):
            return [input_weight, recurrent_weight, *biases]
        return [input_weight, dropout(recurrent_weight, self.settings.weight_drop), *biases]

    def drop(self, x: Tensor, probability: float) -> Tensor:
        """Dropout on x (T, B, size) in training.

        Locked dropout uses the same mask at all T tokens: Gal and Ghahramani, arXiv 1512.05287.
        """
        if not (probability and self.training):
            return x
        if not self.settings.locked_dropout:
            return dropout(x, probability)
        return x * dropout(x.new_ones(1, *x.shape[1:]), probability)

    def zero_state(self, streams: int) -> HiddenState:
        """The state before any input."""
        shape = (self.settings.layers, streams, self.settings.hidden)
        weight = next(self.parameters())
        return tuple(weight.new_zeros(shape) for _ in self.cell.states)


class LanguageModel(nn.Module):
    """Predicts the next token of B texts at every position."""

    def __init__(self, settings: ModelSettings, vocabulary_size: int) -> None:
        super().__init__()
        V, E, H = vocabulary_size, settings.embedding, settings.hidden
        self.settings = settings
        self.vocabulary_size = V
        self.embedding = nn.Embedding(V, E) if E else None  # None: one-hot input
        self.rnn = RecurrentStack(E or V, settings)
        self.head = nn.Linear(H, V)
        self.scale = 1.0  # of the logits
        self._initialize(settings.init_scale)
        if self.embedding is not None and settings.tie_weights:  # Press and Wolf, arXiv 1608.05859
            self.head.weight = self.embedding.weight

    def _initialize(self, scale: float) -> None:
        """Draws the embedding and the output layer within `scale`; 0 leaves them as torch initializes them.

        A tied embedding is always as small as the weights of an output layer.
        """
        if self.embedding is not None and (scale or self.settings.tie_weights):
            bound = scale or 1 / math.sqrt(self.settings.embedding)
            nn.init.uniform_(self.embedding.weight, -bound, bound)
        if scale:
            nn.init.uniform_(self.head.weight, -scale, scale)
            nn.init.uniform_(self.head.bias, -scale, scale)

    def forward(self, x: Tensor, state: HiddenState) -> tuple[Tensor, HiddenState]:
        """Ids x (B, T) and state to logits (B, T, V) and state.

        Inside, time is the first dimension, as torch's layers prefer it, so that nothing is copied between them.
        """
        x, V = x.T, self.vocabulary_size  # (T, B)
        embedded = F.one_hot(x, V).float() if self.embedding is None else self.embedding(x)  # (T, B, E)
        embedded = self.rnn.drop(embedded, self.settings.input_dropout)
        output, state = self.rnn(embedded, state)  # (T, B, H)
        logits = self.head(output)  # (T, B, V)
        return (logits if self.scale == 1 else self.scale * logits).transpose(0, 1), state

    def zero_state(self, streams: int) -> HiddenState:
        """The state before any token."""
        return self.rnn.zero_state(streams)

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def trained_model(settings: ModelSettings, weights: Mapping[str, NDArray[Any]], device: torch.device) -> LanguageModel:
    """The network with the weights of a file, on a device."""
    model = LanguageModel(settings, len(weights["head.bias"]))
    set_weights(model, dict(weights))
    model.scale = float(weights.get(SCALE, np.ones(1))[0])
    return model.to(device)


def file_names(model: LanguageModel) -> dict[str, str]:
    """The name of each weight in files, by its name in the module.

    The weights of layer k are `rnn.weight_ih_l<k>` and so on; those that normalize its input are `rnn.norm_weight_l<k>`
    and `rnn.norm_bias_l<k>`, where k = L stands for the output layer.
    """
    names = {name: re.sub(r"rnn\.layers\.(\d+)\.(\w+)_l0", r"rnn.\2_l\1", name) for name, _ in model.named_parameters()}
    return {name: re.sub(r"rnn\.norms\.(\d+)\.(\w+)", r"rnn.norm_\2_l\1", file) for name, file in names.items()}


def get_weights(model: LanguageModel) -> dict[str, NDArray[np.float32]]:
    """The weights by their names in files."""
    names = file_names(model)
    return {names[name]: parameter.detach().cpu().float().numpy() for name, parameter in model.named_parameters()}


def set_weights(model: LanguageModel, weights: dict[str, NDArray[np.float32]]) -> None:
    """Copies weights, by their names in files, into a model of the same shape."""
    names = file_names(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(np.array(weights[names[name]], np.float32)))
