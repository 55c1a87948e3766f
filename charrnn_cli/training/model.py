"""The network: embedding, stacked recurrent cells, head. (ids, state) to (logits, state).

Sizes: B streams, T tokens, V tokens in the vocabulary, E embedding, L layers, H hidden.
"""

import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charrnn_cli.config import ModelSettings

State = tuple[Tensor, Tensor]  # h, c: (L, B, H)


class RecurrentStack(nn.Module):
    """L LSTM layers with weights of their own; dropout on each layer's output.

    LSTM: Hochreiter and Schmidhuber 1997, with forget gates. Dropout only on what goes up, never on what goes on in
    time: Zaremba et al., arXiv 1409.2329. `residual` adds a layer's input to its output where both have H units.
    """

    def __init__(self, inputs: int, settings: ModelSettings) -> None:
        super().__init__()
        H = settings.hidden
        sizes = [inputs] + [H] * (settings.layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, H) for size in sizes)
        self.dropout = settings.dropout
        self.residual = [settings.residual and size == H for size in sizes]
        for layer in self.layers:
            nn.init.ones_(layer.get_parameter("bias_ih_l0").data[H : 2 * H])  # forget bias 1: remember by default
            nn.init.zeros_(layer.get_parameter("bias_hh_l0").data[H : 2 * H])  # (Jozefowicz et al. 2015)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, T, inputs), state to output (B, T, H), state."""
        h, c = state  # (L, B, H)
        hidden, cells = [], []
        for k, layer in enumerate(self.layers):
            output, (h_k, c_k) = layer(x, (h[k : k + 1], c[k : k + 1]))  # (T, B, H)
            output = F.dropout(output, self.dropout, self.training)
            x = x + output if self.residual[k] else output
            hidden.append(h_k)
            cells.append(c_k)
        return x, (torch.cat(hidden), torch.cat(cells))


class LanguageModel(nn.Module):
    """Predicts the next token of B texts at every position."""

    def __init__(self, settings: ModelSettings, vocabulary_size: int) -> None:
        super().__init__()
        V, E, H = vocabulary_size, settings.embedding, settings.hidden
        self.settings = settings
        self.vocabulary_size = V
        self.embedding = nn.Embedding(V, E) if E else None  # None: one-hot
        self.rnn = RecurrentStack(E or V, settings)
        self.head = nn.Linear(H, V)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, T) ids, state to logits (B, T, V), state.

        Inside, and in memory, time comes first: nothing is copied on the way through the layers.
        """
        x, V = x.T, self.vocabulary_size  # (T, B)
        embedded = F.one_hot(x, V).float() if self.embedding is None else self.embedding(x)  # (T, B, E)
        output, state = self.rnn(embedded, state)  # (T, B, H)
        return self.head(output).transpose(0, 1), state

    def zero_state(self, streams: int) -> State:
        """The hidden state before any token: h, c (L, B, H)."""
        shape = (self.settings.layers, streams, self.settings.hidden)
        return self.head.weight.new_zeros(shape), self.head.weight.new_zeros(shape)

    @property
    def parameter_count(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())


def cross_entropy(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """The loss in nats of logits (B, T, V) at the targets y (B, T); targets of -100 do not count."""
    in_time_order = logits.transpose(0, 1).flatten(0, 1)  # (T * B, V), as the model laid them out: no copy
    return F.cross_entropy(in_time_order.float(), y.T.flatten(), reduction=reduction)


def file_names(model: LanguageModel) -> dict[str, str]:
    """The name of each weight in files, by its name in the module: layer k's are `rnn.weight_ih_l<k>` and so on."""
    names = (name for name, _ in model.named_parameters())
    return {name: re.sub(r"rnn\.layers\.(\d+)\.(\w+)_l0", r"rnn.\2_l\1", name) for name in names}


def get_weights(model: LanguageModel) -> dict[str, NDArray[np.float32]]:
    """The weights under their names in files."""
    names = file_names(model)
    return {names[name]: parameter.detach().cpu().float().numpy() for name, parameter in model.named_parameters()}


def set_weights(model: LanguageModel, weights: dict[str, NDArray[np.float32]]) -> None:
    """Puts weights of the model's own shapes into it."""
    names = file_names(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(np.array(weights[names[name]], np.float32)))
