"""All that training needs to go on as if it had never stopped, and its way to disk and back."""

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
from charrnn_cli.network.model import LanguageModel, State, file_names, get_weights, set_weights
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.runs.checkpoints import SCALE, Checkpoint, Summary, Tensors
from charrnn_cli.setting import settings_from
from charrnn_cli.training.optimizer import Optimizer


@dataclass
class Numbers:
    """Where the loop is."""

    step: int = 0  # optimizer updates made
    epoch: int = 0  # epochs that are over
    window: int = 0  # the next window of this epoch
    seconds: float = 0.0  # of training, all sittings together
    loss_steps: int = 0  # since the last report
    train_loss: float | None = None  # the last report's
    valid_loss: float | None = None  # the last validation's
    valid_step: int = 0  # when that was
    valid_progress: float = 0.0
    best_loss: float | None = None
    best_step: int = 0
    stalled: int = 0  # validations since the best
    scale: float = 1.0  # of the logits, by the last validation
    cuts: int = 0  # of the rate, by the schedule "plateau"
    skipped: int = 0  # steps whose loss or gradients were no numbers
    skipped_in_row: int = 0
    recoveries: int = 0  # from a loss that exploded, each with half the rate

    def done(self, bound: str) -> float:
        """How many whole "epochs", "steps" or "minutes" the run has had."""
        return {"epochs": self.epoch, "steps": self.step, "minutes": self.seconds / 60}[bound]


@dataclass
class TrainingState:
    """Model, optimizer, hidden state and numbers of a run: everything."""

    model: LanguageModel
    optimizer: Optimizer
    streams: int  # in all
    hidden: State  # of those of this rank
    loss_sum: Tensor  # of the steps since the last report
    tally: Tensor  # (3,) steps noted since the last `count`, those skipped, and how many of the last ones
    ranks: Ranks
    numbers: Numbers = field(default_factory=Numbers)
    transferred: dict[str, NDArray[np.float32]] | None = None  # weights that it began with, of a trained model

    @classmethod
    def begin(
        cls,
        model: ModelSettings,
        settings: TrainingSettings,
        vocabulary_size: int,
        device: torch.device,
        ranks: Ranks = ALONE,
    ) -> "TrainingState":
        """The state before the first step. Seeds torch's generators."""
        torch.manual_seed(settings.seed)
        network, streams = LanguageModel(model, vocabulary_size).to(device), settings.batch_size
        mine = ranks.share(streams)
        return cls(
            network,
            Optimizer(network.parameters(), settings),
            streams,
            network.zero_state(mine.stop - mine.start),
            torch.zeros((), device=device),
            torch.zeros(3, dtype=torch.int64, device=device),
            ranks,
        )

    def begin_anew(self, settings: TrainingSettings) -> None:
        """Becomes the state before the first step again."""
        model, size = self.model.settings, self.model.vocabulary_size
        fresh = TrainingState.begin(model, settings, size, self.hidden[0].device, self.ranks)
        set_weights(self.model, self.transferred or get_weights(fresh.model))
        self.optimizer.begin_anew()
        self.hidden, self.loss_sum, self.tally = fresh.hidden, fresh.loss_sum, fresh.tally
        self.numbers = fresh.numbers

    def note(self, good: Tensor, loss: Tensor, hidden: State) -> None:
        """What a step has brought if it was `good` (), else that it was skipped. A GPU is not waited for."""
        self.loss_sum += torch.where(good, loss, 0.0)
        self.hidden = tuple(torch.where(good, end, begin) for end, begin in zip(hidden, self.hidden, strict=True))
        steps, skipped, in_row = self.tally.unbind()
        self.tally = torch.stack((steps + good, skipped + ~good, torch.where(good, 0, in_row + 1)))

    def count(self) -> None:
        """Brings the numbers up to what was noted. A GPU is waited for."""
        steps, skipped, self.numbers.skipped_in_row = self.tally.tolist()
        self.numbers.loss_steps += steps
        self.numbers.skipped += skipped
        self.tally[:2] = 0

    def finite(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def summary(self, epoch: float) -> Summary:
        """What a reader of the weights wants to know."""
        numbers = self.numbers
        return Summary(
            step=numbers.step,
            epoch=round(epoch, 3),
            seconds=round(numbers.seconds, 1),
            train_loss=numbers.train_loss,
            valid_loss=numbers.valid_loss if numbers.valid_step == numbers.step else None,
            when=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    def dump(self) -> tuple[Tensors, Tensors, dict[str, Any]]:
        """Weights, tensors and numbers as `Checkpoint.load` gives them back, those of all ranks."""
        hidden = [self.ranks.gather(part, self.streams) for part in self.hidden]
        tensors = {f"hidden.{name}": _array(part) for name, part in zip("hc", hidden, strict=False)}
        tensors["loss_sum"] = _array(self.ranks.sum(self.loss_sum.clone()))
        for moment, values in self.optimizer.state.items():
            tensors |= {f"{moment}.{name}": _array(value) for name, value in zip(self._names(), values, strict=True)}
        weights = get_weights(self.model) | {SCALE: np.full(1, self.numbers.scale, np.float32)}
        return weights, tensors, dataclasses.asdict(self.numbers)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Puts a checkpoint in the place of what is there. Raises RunError where it does not fit."""
        device = self.hidden[0].device
        try:
            weights, tensors, numbers = checkpoint.load()
            set_weights(self.model, dict(weights))
            for moment, values in self.optimizer.state.items():
                for name, value in zip(self._names(), values, strict=True):
                    array = tensors[f"{moment}.{name}"]
                    if array.shape != tuple(value.shape):
                        raise ValueError(f"its {moment}.{name} is of the shape {array.shape}.")
                    value.copy_(_tensor(array))
            mine = self.ranks.share(self.streams)
            hidden = [tensors[f"hidden.{name}"][:, mine] for name in "hc"[: len(self.hidden)]]
            if any(part.shape != self.hidden[0].shape for part in hidden):
                raise ValueError(f"its hidden state is of the shape {hidden[0].shape}.")
            self.hidden = tuple(_tensor(part).to(device) for part in hidden)
            self.loss_sum = _tensor(tensors["loss_sum"]).to(device) * self.ranks.first  # one rank has it, for all
            self.numbers = settings_from(Numbers, numbers)
            self.tally = self.tally.new_tensor([0, 0, self.numbers.skipped_in_row])
        except (KeyError, RuntimeError, TypeError, ValueError, RunError) as error:
            raise RunError(
                f"the checkpoint {checkpoint.folder} cannot be gone on from: {error} Remove that folder to go on from "
                "an earlier one, or begin anew: charrnn train --restart"
            ) from error

    def _names(self) -> list[str]:
        names = file_names(self.model)
        return [names[name] for name, _ in self.model.named_parameters()]


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return tensor.detach().cpu().numpy()


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(array.copy())
