"""Gradients to steps, by torch's functional forms of Adam, AdamW, SGD and RMSprop.

Its classes would do the same and load its compiler, which nothing here uses, for longer than torch itself takes.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from charrnn_cli.config import TrainingSettings

MOMENTS = {
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "rmsprop": ("square_avg",),
    "sgd": (),
}
FUSED = ("adam", "adamw", "sgd")


class Optimizer:
    """The optimizer that the settings name, with the defaults of torch.optim, and fused where that is to be had."""

    def __init__(self, parameters: Iterable[nn.Parameter], settings: TrainingSettings) -> None:
        self._name, self._weight_decay = settings.optimizer, settings.weight_decay
        self._parameters: list[Tensor] = list(parameters)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets all steps."""
        self.state = {name: [torch.zeros_like(p) for p in self._parameters] for name in MOMENTS[self._name]}
        if self.state:  # the steps are counted on the device where a fused form reads them
            self.state["step"] = [
                torch.zeros((), device="cpu" if self._name == "rmsprop" else p.device) for p in self._parameters
            ]

    @torch.no_grad()
    def step(self, rate: float, broken: Tensor) -> None:
        """Moves the parameters against their gradients, unless these are `broken` (): a GPU is not waited for."""
        parameters, state = self._parameters, self.state
        gradients = [p.grad for p in parameters if p.grad is not None]
        on_device = self._name in FUSED and broken.device.type in ("cpu", "cuda")  # elsewhere the host decides
        if not on_device and broken:
            return
        skipped = broken.float() if on_device else None
        match self._name:
            case "adam" | "adamw":
                (adam if self._name == "adam" else adamw)(
                    parameters,
                    gradients,
                    state["exp_avg"],
                    state["exp_avg_sq"],
                    [],
                    state["step"],
                    lr=rate,
                    beta1=0.9,
                    beta2=0.999,
                    eps=1e-8,
                    weight_decay=self._weight_decay if self._name == "adamw" else 0.0,
                    amsgrad=False,
                    maximize=False,
                    fused=True,
                    found_inf=skipped,
                )
            case "rmsprop":
                rmsprop(
                    parameters,
                    gradients,
                    state["square_avg"],
                    [],
                    [],
                    state["step"],
                    lr=rate,
                    alpha=0.99,
                    eps=1e-8,
                    weight_decay=0.0,
                    momentum=0.0,
                    centered=False,
                )
            case "sgd":
                sgd(
                    parameters,
                    gradients,
                    [None] * len(parameters),
                    lr=rate,
                    weight_decay=0.0,
                    momentum=0.0,
                    dampening=0.0,
                    nesterov=False,
                    maximize=False,
                    fused=True,
                    found_inf=skipped,
                )
