"""The data of training: windows of many streams of text, on the device, in equal shares for all ranks."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.network.ranks import Ranks
from charrnn_cli.text.batches import Batches, stream_length
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.text.shuffling import shuffled_documents
from charrnn_cli.text.token_ids import TokenIds

UPLOADED_IDS = 1 << 24  # at once: the text may be larger than the memory of the CPU


@dataclass(frozen=True)
class Data:
    """The ids that training reads: memory maps, so that no text is too large."""

    train: TokenIds
    valid: TokenIds | None  # None: no text is held out
    end: int | None = None  # the id after each document; None: the text has no documents


class Windows:
    """The windows of an epoch for the streams of this rank, in reading order.

    A window is x, y (B, T): ids and the ids that follow them, as int64 on the device. Raises RunError for an id that
    is not in the vocabulary.
    """

    def __init__(
        self,
        data: Data,
        settings: TrainingSettings,
        ranks: Ranks,
        device: torch.device,
        vocabulary_size: int,
        memory: float = math.inf,
        epoch: int = 0,
    ) -> None:
        """Reads `epoch` first. Ids that fit into `memory`, in bytes, go to a GPU; else they stay on disk."""
        self._data, self._settings = data, settings
        self._device, self._memory = device, memory
        self._vocabulary_size = vocabulary_size
        self._stream_length = check_streams(data, settings, ranks)
        self._streams = ranks.share(settings.batch_size)
        self._epoch, self._batches = epoch, self._read(epoch)

    def __len__(self) -> int:
        return len(self._batches)

    def _read(self, epoch: int) -> Batches[Any]:
        """The streams of this rank. With `shuffle_documents`, they differ between epochs."""
        text, end = self._data.train, self._data.end
        if self._settings.shuffle_documents and end is not None:
            text = shuffled_documents(text, end, (self._settings.seed, epoch))
        S, streams = self._stream_length, self._streams
        ids: Any = text[streams.start * S : streams.stop * S + 1]
        if self._device.type != "cpu" and len(ids) * _type_on_device(ids).itemsize <= self._memory:
            ids = upload(ids, self._device, self._vocabulary_size)
        return Batches(ids, streams.stop - streams.start, self._settings.seq_length)

    def at(self, epoch: int, index: int) -> tuple[Tensor, Tensor]:
        """Window `index` of an epoch."""
        if self._settings.shuffle_documents and epoch != self._epoch:
            self._epoch, self._batches = epoch, self._read(epoch)
        pieces = self._batches.pieces(index, self._offset(epoch))
        x, y = ([self._on_device(part) for part in parts] for parts in zip(*pieces, strict=True))
        return (x[0], y[0]) if len(pieces) == 1 else (torch.cat(x, 1), torch.cat(y, 1))

    def _offset(self, epoch: int) -> int:
        """Where an epoch starts in each stream. With `random_offset`, it differs between epochs, as the windows do."""
        if not self._settings.random_offset:
            return 0
        return _random_offset(self._settings.seed, epoch, self._stream_length)

    def _on_device(self, ids: Any) -> Tensor:
        if isinstance(ids, Tensor):
            return ids.long()
        check_ids(ids, self._vocabulary_size)
        return torch.from_numpy(ids.astype(np.int64)).to(self._device)


@lru_cache(maxsize=1)  # the same for all steps of an epoch
def _random_offset(seed: int, epoch: int, stream_length: int) -> int:
    return int(np.random.default_rng((seed, epoch)).integers(stream_length))


def upload(ids: TokenIds, device: torch.device, vocabulary_size: int) -> Tensor:
    """A copy of ids (N,) on the device, slice by slice. Raises RunError for an id that is not in the vocabulary."""
    dtype = _type_on_device(ids)
    copy = torch.from_numpy(np.empty(0, dtype)).new_empty(len(ids), device=device)
    for start in range(0, len(ids), UPLOADED_IDS):
        part = ids[start : start + UPLOADED_IDS]
        check_ids(part, vocabulary_size)
        copy[start : start + len(part)] = torch.from_numpy(part.astype(dtype))
    return copy


def _type_on_device(ids: TokenIds) -> "np.dtype[Any]":
    """The type of the ids on the device: PyTorch computes little with unsigned integers of more than 8 bits."""
    return np.dtype(np.uint8 if ids.dtype == np.uint8 else np.int32)


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
