"""The recurrent step in torch, on a GPU: the same verbs as the NumPy engine."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.training.model import State, trained_model


class TorchEngine:
    """A `LanguageModel` that reads one token of B texts at a time."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings, device: torch.device) -> None:
        self.model = trained_model(settings, weights, device).eval()
        self.device = device

    def start(self, streams: int) -> State:
        """The state before any token."""
        return self.model.zero_state(streams)

    @torch.inference_mode()
    def step(self, ids: NDArray[np.integer], state: State) -> tuple[NDArray[np.float32], State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        x = torch.as_tensor(np.asarray(ids, np.int64), device=self.device)[:, None]  # (B, 1)
        with torch.backends.cudnn.flags(allow_tf32=False):  # as exact as the NumPy engine
            logits, state = self.model(x, state)  # (B, 1, V)
        return logits[:, 0].float().cpu().numpy(), state
