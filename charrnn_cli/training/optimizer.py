"""The optimizers. To add one, add its name in config.py and an entry in `OPTIMIZERS`.

All but SOAP compute the same as the classes of torch.optim, but those load torch's compiler, which takes longer than
torch itself. Whether a step is skipped is decided on the device, so that the host need not wait for a GPU.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training import soap

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
    steps: int  # that came before
    products: torch.dtype  # of the matrix products of SOAP

    def only(self, chosen: list[bool]) -> "Update":
        """The update of the parameters for which `chosen` is true."""
        return replace(
            self,
            parameters=_chosen(self.parameters, chosen),
            gradients=_chosen(self.gradients, chosen),
            moments={name: _chosen(values, chosen) for name, values in self.moments.items()},
        )


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimizer of torch with the defaults of torch.optim, or SOAP."""

    apply: Callable[[Update], None]
    # By torch's names, what it keeps for each parameter: the value before the first step.
    moments: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    # The same for the weights of the layers only; for the others it is empty.
    rotation: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)


def _chosen(values: list[Tensor], chosen: list[bool]) -> list[Tensor]:
    return [value for value, wanted in zip(values, chosen, strict=True) if wanted]


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


def _soap(update: Update) -> None:
    """AdamW, which sees rotated gradients of the weights of the layers."""
    rotates = [bool(basis.numel()) for basis in update.moments["basis"]]
    _adamw(update.only([not chosen for chosen in rotates]))
    layers = update.only(rotates)
    _rotate_further(layers)  # before Adam sees the first gradient, too
    bases, products = layers.moments["basis"], layers.products
    rotated = [soap.product(g, basis, products) for g, basis in zip(layers.gradients, bases, strict=True)]
    steps = [torch.zeros_like(weight) for weight in layers.parameters]
    _fused_adam(adamw, replace(layers, parameters=steps, gradients=rotated), weight_decay=0.0)
    decay = layers.learning_rate * layers.weight_decay
    kept = 1 - (decay if layers.skip is None else decay * (layers.skip == 0))
    for weight, step, basis in zip(layers.parameters, steps, bases, strict=True):
        weight.mul_(kept).add_(soap.product(step, basis.T, products))


def _rotate_further(layers: Update) -> None:
    """Updates the covariances and the bases, if it is time."""
    moments = layers.moments
    if layers.steps % soap.COVARIANCE_STEPS == 0:
        for covariance, gradient in zip(moments["covariance"], layers.gradients, strict=True):
            soap.update_covariance(covariance, gradient, layers.skip, layers.products)
    if layers.steps % soap.BASIS_STEPS == 0:
        for basis, covariance, momentum in zip(
            moments["basis"], moments["covariance"], moments["exp_avg"], strict=True
        ):
            soap.update_basis(basis, covariance, momentum, layers.skip)


def _count(parameter: Tensor) -> Tensor:
    return torch.zeros((), device=parameter.device)


_ADAM: dict[str, Callable[[Tensor], Tensor]] = {
    "exp_avg": torch.zeros_like,
    "exp_avg_sq": torch.zeros_like,
    "step": _count,
}
OPTIMIZERS = {
    # Kingma and Ba, arXiv 1412.6980.
    "adam": OptimizerSpec(_adam, _ADAM),
    # Loshchilov and Hutter, arXiv 1711.05101.
    "adamw": OptimizerSpec(_adamw, _ADAM),
    # Hinton's lecture notes, 2012.
    "rmsprop": OptimizerSpec(_rmsprop, {"square_avg": torch.zeros_like}),
    "sgd": OptimizerSpec(_sgd),
    # Vyas et al., arXiv 2409.11321, one-sided (`training/soap.py`).
    "soap": OptimizerSpec(_soap, _ADAM, {"covariance": soap.start_covariance, "basis": soap.start_basis}),
}


class Optimizer:
    """Updates parameters by their gradients."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        settings: TrainingSettings,
        layers: Iterable[Tensor] = (),
        products: torch.dtype = torch.float32,
    ) -> None:
        """`layers` are the weight matrices of the layers, which SOAP rotates, and `products` is its number format."""
        self._spec = OPTIMIZERS[settings.optimizer]
        self._weight_decay = settings.weight_decay
        self._parameters: list[Tensor] = list(parameters)
        self._rotated = {id(weight) for weight in layers if weight.shape[1] <= soap.MOST_INPUTS}
        self._products = products
        self.reset()

    def reset(self) -> None:
        """Forgets all steps."""
        self.moments: Moments = {
            name: [start(parameter.detach()) for parameter in self._parameters]
            for name, start in self._spec.moments.items()
        }
        for name, start in self._spec.rotation.items():
            self.moments[name] = [
                start(parameter.detach()) if id(parameter) in self._rotated else parameter.new_empty(0)
                for parameter in self._parameters
            ]

    @torch.no_grad()
    def step(self, learning_rate: float, skip: Tensor, steps: int) -> None:
        """Takes a step after `steps` others, unless `skip` () is true. Reads nothing back from a CUDA GPU."""
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
                steps,
                self._products,
            )
        )
