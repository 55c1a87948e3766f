"""The optimizers. To add one, add its name in config.py and an entry in `OPTIMIZERS`.

They compute the same as the classes of torch.optim, but those load torch's compiler, which takes longer than torch
itself. Whether a step is skipped is decided on the device, so that the host need not wait for a GPU.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from charrnn_cli.config import TrainingSettings

Moments = dict[str, list[Tensor]]  # by name, a tensor for each parameter


@dataclass(frozen=True)
class Update:
    """The arguments of one step. With `skip` () above 0, it changes nothing; None is 0."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    moments: Moments
    learning_rate: float
    weight_decay: float
    skip: Tensor | None


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimizer of torch with the defaults of torch.optim."""

    apply: Callable[[Update], None]
    moments: tuple[str, ...] = ()  # torch's names of the averages that it keeps for each parameter
    counts: bool = False  # whether it counts the steps


def _adam(update: Update) -> None:
    _fused_adam(adam, update, weight_decay=0.0)


def _adamw(update: Update) -> None:
    _fused_adam(adamw, update, update.weight_decay)


def _fused_adam(function: Callable[..., None], update: Update, weight_decay: float) -> None:
    function(
        update.parameters,
        update.gradients,
        update.moments["exp_avg"],
        update.moments["exp_avg_sq"],
        [],
        update.moments["step"],
        lr=update.learning_rate,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
        weight_decay=weight_decay,
        amsgrad=False,
        maximize=False,
        fused=True,
        found_inf=update.skip,
    )


def _rmsprop(update: Update) -> None:
    """A skipped step has gradients of 0, and its averages do not decay; torch's own function cannot skip."""
    alpha, epsilon = 0.99, 1e-8
    averages, gradients = update.moments["square_avg"], update.gradients
    decay = torch.tensor(alpha)
    if update.skip is not None:
        decay = torch.where(update.skip > 0, 1.0, alpha)
        gradients = [torch.where(update.skip > 0, 0.0, gradient) for gradient in gradients]
    torch._foreach_mul_(averages, decay)
    torch._foreach_addcmul_(averages, gradients, gradients, value=1 - alpha)
    roots = torch._foreach_sqrt(averages)
    torch._foreach_add_(roots, epsilon)
    torch._foreach_addcdiv_(update.parameters, gradients, roots, value=-update.learning_rate)


def _sgd(update: Update) -> None:
    sgd(
        update.parameters,
        update.gradients,
        [None] * len(update.parameters),
        lr=update.learning_rate,
        weight_decay=0.0,
        momentum=0.0,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        fused=True,
        found_inf=update.skip,
    )


OPTIMIZERS = {
    # Kingma and Ba, arXiv 1412.6980.
    "adam": OptimizerSpec(_adam, ("exp_avg", "exp_avg_sq"), counts=True),
    # Loshchilov and Hutter, arXiv 1711.05101.
    "adamw": OptimizerSpec(_adamw, ("exp_avg", "exp_avg_sq"), counts=True),
    # Hinton's lecture notes, 2012.
    "rmsprop": OptimizerSpec(_rmsprop, ("square_avg",)),
    "sgd": OptimizerSpec(_sgd),
}


class Optimizer:
    """Updates parameters by their gradients."""

    def __init__(self, parameters: Iterable[nn.Parameter], settings: TrainingSettings) -> None:
        self._spec = OPTIMIZERS[settings.optimizer]
        self._weight_decay = settings.weight_decay
        self._parameters: list[Tensor] = list(parameters)
        self.reset()

    def reset(self) -> None:
        """Forgets all steps."""
        self.moments: Moments = {
            name: [torch.zeros_like(parameter) for parameter in self._parameters] for name in self._spec.moments
        }
        if self._spec.counts:
            self.moments["step"] = [torch.zeros((), device=parameter.device) for parameter in self._parameters]

    @torch.no_grad()
    def step(self, learning_rate: float, skip: Tensor) -> None:
        """Takes a step, unless `skip` () is true. Does not wait for a CUDA GPU."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        skips_on_device = skip.device.type in ("cpu", "cuda")
        if not skips_on_device and skip:
            return
        self._spec.apply(
            Update(
                self._parameters,
                gradients,
                self.moments,
                learning_rate,
                self._weight_decay,
                skip.float() if skips_on_device else None,
            )
        )
