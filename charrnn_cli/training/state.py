"""The state of training: everything that a resumed run needs, and how it is saved and restored."""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.network.model import HiddenState, LanguageModel, file_names, get_weights, set_weights
from charrnn_cli.network.precision import NumberFormat, number_format
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.runs.checkpoints import Checkpoint
from charrnn_cli.runs.weights import SCALE, Summary, Tensors
from charrnn_cli.setting import settings_from
from charrnn_cli.training.counters import Counters
from charrnn_cli.training.loss_scale import LossScale
from charrnn_cli.training.optimizer import Optimizer


@dataclass
class TrainingState:
    """Everything that a resumed run needs."""

    model: LanguageModel
    optimizer: Optimizer
    streams: int  # of all ranks together
    hidden: HiddenState  # (L, B, H) each, of the B streams of this rank
    loss_sum: Tensor  # () of the steps since the last report
    tally: Tensor  # (3,) good steps and exploded steps since the last `count`, and exploded steps in a row
    ranks: Ranks
    number_format: NumberFormat
    loss_scale: LossScale
    counters: Counters = field(default_factory=Counters)
    transferred: dict[str, NDArray[np.float32]] | None = None  # the weights of a trained model that it started with

    @classmethod
    def start(
        cls,
        model: ModelSettings,
        settings: TrainingSettings,
        vocabulary_size: int,
        device: torch.device,
        ranks: Ranks = ALONE,
    ) -> "TrainingState":
        """The state before the first step. Seeds torch's generators.

        Raises UsageError if the device does not compute faster in the precision of the settings.
        """
        numbers = number_format(settings.precision, device, model.cell)
        torch.manual_seed(settings.seed)
        network = LanguageModel(model, vocabulary_size).to(device)
        streams = ranks.share(settings.batch_size)
        return cls(
            network,
            Optimizer(network.parameters(), settings, network.rnn.matrices, numbers.products),
            settings.batch_size,
            network.zero_state(streams.stop - streams.start),
            torch.zeros((), device=device),
            torch.zeros(3, dtype=torch.int64, device=device),
            ranks,
            numbers,
            LossScale(numbers.scaled, device),
        )

    @property
    def device(self) -> torch.device:
        return self.loss_sum.device

    def start_over(self, settings: TrainingSettings) -> None:
        """Becomes the state before the first step again."""
        model, size = self.model.settings, self.model.vocabulary_size
        fresh = TrainingState.start(model, settings, size, self.device, self.ranks)
        set_weights(self.model, self.transferred or get_weights(fresh.model))
        self.optimizer.reset()
        self.hidden, self.loss_sum, self.tally = fresh.hidden, fresh.loss_sum, fresh.tally
        self.counters, self.loss_scale = fresh.counters, fresh.loss_scale

    def add_step(self, finite: Tensor, loss: Tensor, hidden: HiddenState) -> None:
        """Keeps the loss () and the hidden state of a step if it was `finite` (), else notes that it was skipped.

        A step that only the scale of the loss made too large does not count as exploded. Does not wait for a GPU.
        """
        exploded = self.loss_scale.update(finite)
        self.loss_sum += torch.where(finite, loss, 0.0)
        self.hidden = tuple(torch.where(finite, new, old) for new, old in zip(hidden, self.hidden, strict=True))
        good, skipped, skipped_in_row = self.tally.unbind()
        self.tally = torch.stack((good + finite, skipped + exploded, torch.where(finite, 0, skipped_in_row + exploded)))

    def advance(self, windows: int) -> None:
        """Counts the step. After the last window of an epoch the streams start again, with an empty hidden state."""
        if self.counters.advance(windows):
            self.hidden = self.model.zero_state(self.hidden[0].shape[1])

    def count(self) -> None:
        """Brings the counters up to date with the steps that were added. Waits for a GPU."""
        good, skipped, self.counters.skipped_in_row = self.tally.tolist()
        self.counters.loss_steps += good
        self.counters.skipped += skipped
        self.tally[:2] = 0

    def take_loss(self) -> float:
        """The mean loss of the steps since the last call, over all ranks. Waits for a GPU."""
        loss: float = self.ranks.sum(self.loss_sum).item() / self.counters.loss_steps
        self.loss_sum.zero_()
        self.counters.loss_steps = 0
        self.counters.train_loss = loss
        return loss

    def finite(self) -> bool:
        """Whether all weights are finite."""
        return all(bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def summary(self, epoch: float) -> Summary:
        """The summary in the header of saved weights."""
        counters = self.counters
        return Summary(
            step=counters.step,
            epoch=round(epoch, 3),
            seconds=round(counters.seconds, 1),
            train_loss=counters.train_loss,
            valid_loss=counters.valid_loss if counters.valid_step == counters.step else None,
            when=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    def dump(self) -> tuple[Tensors, Tensors, dict[str, Any]]:
        """The weights, tensors and counters of all ranks, as `Checkpoint.load` returns them. Communicates."""
        hidden = [self.ranks.gather(part, self.streams) for part in self.hidden]
        tensors = {f"hidden.{name}": _array(part) for name, part in zip(self._states(), hidden, strict=True)}
        tensors["loss_sum"] = _array(self.ranks.sum(self.loss_sum.clone()))
        tensors |= self.loss_scale.dump()
        for moment, values in self.optimizer.moments.items():
            tensors |= {f"{moment}.{name}": _array(value) for name, value in zip(self._names(), values, strict=True)}
        weights = get_weights(self.model) | {SCALE: np.full(1, self.counters.scale, np.float32)}
        return weights, tensors, dataclasses.asdict(self.counters)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Replaces the state by that of a checkpoint. Raises RunError if the checkpoint is damaged or does not fit."""
        try:
            weights, tensors, counters = checkpoint.load()
            set_weights(self.model, dict(weights))
            self._restore_moments(tensors)
            self._restore_hidden(tensors)
            self.loss_scale.restore(tensors)
            # One rank has the sum of all.
            self.loss_sum = _tensor(tensors["loss_sum"]).to(self.device) * self.ranks.first
            self.counters = settings_from(Counters, counters)
            self.tally = self.tally.new_tensor([0, 0, self.counters.skipped_in_row])
        except (KeyError, RuntimeError, TypeError, ValueError, RunError) as error:
            raise RunError(
                f"cannot resume from the checkpoint {checkpoint.folder}: {error} Remove that folder to resume from "
                "an earlier one, or pass `restart=True` to start over."
            ) from error

    def _restore_moments(self, tensors: Tensors) -> None:
        for moment, values in self.optimizer.moments.items():
            for name, value in zip(self._names(), values, strict=True):
                array = tensors[f"{moment}.{name}"]
                if array.shape != tuple(value.shape):
                    raise ValueError(f"{moment}.{name} has the shape {array.shape}, not {tuple(value.shape)}.")
                value.copy_(_tensor(array))

    def _restore_hidden(self, tensors: Tensors) -> None:
        streams = self.ranks.share(self.streams)
        hidden = [tensors[f"hidden.{name}"][:, streams] for name in self._states()]
        for array, part in zip(hidden, self.hidden, strict=True):
            if array.shape != tuple(part.shape):
                raise ValueError(f"the hidden state has the shape {array.shape}, not {tuple(part.shape)}.")
        self.hidden = tuple(_tensor(array).to(self.device) for array in hidden)

    def _names(self) -> list[str]:
        """The names of the parameters in files."""
        names = file_names(self.model)
        return [names[name] for name, _ in self.model.named_parameters()]

    def _states(self) -> tuple[str, ...]:
        """The names of the cell's states: "h", and "c" of an LSTM."""
        return cell_spec(self.model.settings.cell).states


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.copy())
