"""The network: embedding, stacked recurrent cells, head. (ids, state) to (logits, state).

Sizes: B streams, T tokens, V tokens in the vocabulary, E embedding, L layers, H hidden.
"""

import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from charrnn_cli.config import ModelSettings
from charrnn_cli.network.dropout import dropout
from charrnn_cli.runs.checkpoints import SCALE

# of cuDNN: the weights that weight drop leaves are new at each step
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk", UserWarning)

State = tuple[Tensor, ...]  # h (L, B, H), and of an LSTM c, of the same shape
CELLS: dict[str, Callable[[int, int], nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}  # nn.RNN: tanh


class RecurrentStack(nn.Module):
    """L recurrent layers with weights of their own; dropout on what the layers above the first, and the head, read.

    LSTM: Hochreiter and Schmidhuber 1997, with forget gates; GRU: Cho et al., arXiv 1406.1078; plain: Elman 1990.
    Dropout only on what goes up, never on what goes on in time: Zaremba et al., arXiv 1409.2329. `residual` adds a
    layer's input to its output where both have H units. `layer_norm` (Ba et al., arXiv 1607.06450) is on what a layer
    reads, beside the sum that goes on (Xiong et al., arXiv 2002.04745), and on the output; dropout comes after it, or
    the norm would have to fit two variances, that of training and that of use. `weight_drop` is DropConnect on the
    recurrent weights (Merity et al., arXiv 1708.02182).
    """

    def __init__(self, inputs: int, settings: ModelSettings) -> None:
        super().__init__()
        H = settings.hidden
        sizes = [inputs] + [H] * (settings.layers - 1)
        self.settings = settings
        self.layers = nn.ModuleList(CELLS[settings.cell](size, H) for size in sizes)
        self.residual = [settings.residual and size == H for size in sizes]
        normed = [settings.layer_norm and bool(settings.embedding), *[settings.layer_norm] * settings.layers]
        self.norms = nn.ModuleList(
            nn.LayerNorm(size) if norm else nn.Identity() for size, norm in zip([*sizes, H], normed, strict=True)
        )
        for layer in self.layers:
            biases = [layer.get_parameter("bias_ih_l0").data, layer.get_parameter("bias_hh_l0").data]
            if settings.init_scale:
                for weight in layer.parameters():
                    nn.init.uniform_(weight, -settings.init_scale, settings.init_scale)
                for bias in biases:
                    nn.init.zeros_(bias)
            if settings.cell == "lstm":  # gates i, f, g, o; at 1 it remembers by default (Jozefowicz et al. 2015)
                nn.init.constant_(biases[0][H : 2 * H], settings.forget_bias)
                nn.init.zeros_(biases[1][H : 2 * H])

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (T, B, inputs), state to output (T, B, H), state."""
        ends: list[State] = []
        for k, layer in enumerate(self.layers):
            begin = tuple(part[k : k + 1] for part in state)  # (1, B, H) each
            reads = self.dropped(self.norms[k](x), self.settings.dropout if k else 0.0)
            inputs = reads, begin if len(begin) > 1 else begin[0]
            if self.settings.weight_drop and self.training:
                recurrent = dropout(layer.get_parameter("weight_hh_l0"), self.settings.weight_drop)
                output, end = functional_call(layer, {"weight_hh_l0": recurrent}, inputs)  # (T, B, H)
            else:
                output, end = layer(*inputs)
            x = x + output.float() if self.residual[k] else output.float()
            ends.append(end if isinstance(end, tuple) else (end,))
        output = self.dropped(self.norms[-1](x), self.settings.dropout)
        return output, tuple(torch.cat(parts) for parts in zip(*ends, strict=True))

    def dropped(self, x: Tensor, share: float) -> Tensor:
        """x (T, B, size) with a share of it zeroed and the rest scaled up, in training.

        Locked dropout drops the same units of a stream at all T tokens: Gal and Ghahramani, arXiv 1512.05287.
        """
        if not (share and self.training):
            return x
        if not self.settings.locked_dropout:
            return dropout(x, share)
        return x * dropout(x.new_ones(1, *x.shape[1:]), share)

    def zero_state(self, streams: int) -> State:
        """The state before any input."""
        shape = (self.settings.layers, streams, self.settings.hidden)
        weight = next(self.parameters())
        return tuple(weight.new_zeros(shape) for _ in range(2 if self.settings.cell == "lstm" else 1))


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
        self.scale = 1.0  # of the logits
        scale = settings.init_scale
        if self.embedding is not None and (scale or settings.tie_weights):
            bound = scale or 1 / math.sqrt(E)  # a tied one is as small as a head's matrix
            nn.init.uniform_(self.embedding.weight, -bound, bound)
        if scale:
            nn.init.uniform_(self.head.weight, -scale, scale)
            nn.init.uniform_(self.head.bias, -scale, scale)
        if self.embedding is not None and settings.tie_weights:  # Press and Wolf, arXiv 1608.05859
            self.head.weight = self.embedding.weight

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, T) ids, state to logits (B, T, V), state.

        Inside, and in memory, time comes first: nothing is copied on the way through the layers.
        """
        x, V = x.T, self.vocabulary_size  # (T, B)
        embedded = F.one_hot(x, V).float() if self.embedding is None else self.embedding(x)  # (T, B, E)
        embedded = self.rnn.dropped(embedded, self.settings.input_dropout)
        output, state = self.rnn(embedded, state)  # (T, B, H)
        logits = self.head(output)  # (T, B, V)
        return (logits if self.scale == 1 else self.scale * logits).transpose(0, 1), state

    def zero_state(self, streams: int) -> State:
        """The hidden state before any token."""
        return self.rnn.zero_state(streams)

    @property
    def parameter_count(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())


def trained_model(settings: ModelSettings, weights: Mapping[str, NDArray[Any]], device: torch.device) -> LanguageModel:
    """The network with weights under their names in files, on a device."""
    model = LanguageModel(settings, len(weights["head.bias"]))
    set_weights(model, dict(weights))
    model.scale = float(weights.get(SCALE, np.ones(1))[0])
    return model.to(device)


def file_names(model: LanguageModel) -> dict[str, str]:
    """The name of each weight in files, by its name in the module: layer k's are `rnn.weight_ih_l<k>` and so on.

    What normalises its input is `rnn.norm_weight_l<k>` and `rnn.norm_bias_l<k>`, and behind the last layer the head's.
    """
    names = {name: re.sub(r"rnn\.layers\.(\d+)\.(\w+)_l0", r"rnn.\2_l\1", name) for name, _ in model.named_parameters()}
    return {name: re.sub(r"rnn\.norms\.(\d+)\.(\w+)", r"rnn.norm_\2_l\1", file) for name, file in names.items()}


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
