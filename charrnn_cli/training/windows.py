"""The data of training: windows of many streams of text, on the device, in equal shares for all ranks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.network.device import free_memory
from charrnn_cli.network.model import HiddenState
from charrnn_cli.network.ranks import Ranks
from charrnn_cli.text.batches import Batches, stream_length
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.text.token_ids import TokenIds

SHARE_FOR_IDS = 0.5  # of a GPU's free memory: if the ids of the text need more, they stay on disk


@dataclass(frozen=True)
class Data:
    """The ids that training reads: memory maps, so that no text is too large."""

    train: TokenIds
    valid: TokenIds | None  # None: no text is held out


class Windows:
    """The windows of an epoch for the streams of this rank, in reading order.

    A window is x, y (B, T): ids and the ids that follow them, as int64 on the device. Raises RunError for an id that
    is not in the vocabulary.
    """

    def __init__(
        self, data: Data, settings: TrainingSettings, ranks: Ranks, device: torch.device, vocabulary_size: int
    ) -> None:
        self._device = device
        self._vocabulary_size = vocabulary_size
        S = check_streams(data, settings, ranks)
        streams = ranks.share(settings.batch_size)
        ids: Any = data.train[streams.start * S : streams.stop * S + 1]
        if device.type != "cpu" and ids.nbytes <= SHARE_FOR_IDS * free_memory(device):
            ids = torch.from_numpy(ids.astype(np.uint8 if ids.dtype == np.uint8 else np.int32)).to(device)
            check_ids(ids, vocabulary_size)
        self._batches = Batches(ids, streams.stop - streams.start, settings.seq_length)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self._batches[index]
        return self._on_device(x), self._on_device(y)

    def _on_device(self, ids: Any) -> Tensor:
        if isinstance(ids, Tensor):
            return ids.long()
        check_ids(ids, self._vocabulary_size)
        return torch.from_numpy(ids.astype(np.int64)).to(self._device)


def check_streams(data: Data, settings: TrainingSettings, ranks: Ranks) -> int:
    """The number of tokens in each stream.

    Raises UsageError if the batch is too small for the number of processes, or the text too short for the batch.
    """
    if settings.batch_size // ranks.size < settings.accumulate:
        accumulate = f" and `accumulate={settings.accumulate}`" if settings.accumulate > 1 else ""
        raise UsageError(
            f"`batch_size={settings.batch_size}` is too small for {ranks.size} processes{accumulate}. "
            f"Pass at least {ranks.size * settings.accumulate}, or start fewer processes."
        )
    try:
        return stream_length(len(data.train), settings.batch_size)
    except ValueError as error:
        raise UsageError(
            f"`batch_size={settings.batch_size}` is too large for a text of {len(data.train)} tokens. Pass a smaller "
            "one."
        ) from error


@dataclass
class MicroBatch:
    """Some of the streams of a window, which go through the network by themselves to save memory."""

    x: Tensor  # (B, T)
    y: Tensor  # (B, T)
    hidden: HiddenState  # (L, B, H) each: before the window, then after it
    last: bool  # whether it is the last one of its window
    loss: Tensor = field(init=False)  # () its part of the mean loss of the window


def micro_batches(x: Tensor, y: Tensor, hidden: HiddenState, count: int) -> list[MicroBatch]:
    """Splits the streams of a window into `count` parts."""
    states = zip(*(tensor.tensor_split(count, dim=1) for tensor in hidden), strict=True)
    parts = zip(x.tensor_split(count), y.tensor_split(count), states, strict=True)
    return [
        MicroBatch(x_part, y_part, tuple(tensor.contiguous() for tensor in state), last=k == count - 1)
        for k, (x_part, y_part, state) in enumerate(parts)
    ]


def joined(parts: list[MicroBatch]) -> tuple[Tensor, HiddenState]:
    """The loss () of a window, and the hidden state of all streams after it."""
    loss = torch.zeros_like(parts[0].loss)
    for part in parts:
        loss += part.loss.detach()
    states = zip(*(part.hidden for part in parts), strict=True)
    return loss, tuple(torch.cat(tensors, dim=1).detach().float() for tensors in states)
