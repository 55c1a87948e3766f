"""Dynamic loss scaling, without which small gradients would be 0 in float16.

Micikevicius et al., arXiv 1710.03740. The arithmetic and the constants are those of torch.amp.GradScaler, which needs
the classes of torch.optim, and cannot tell an exploded loss from gradients that the scale made too large.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from charrnn_cli.runs.weights import Tensors

FIRST_SCALE = 2.0**16
GROWTH, BACKOFF = 2.0, 0.5
GROWTH_INTERVAL = 2000  # steps in a row with finite gradients after which the scale grows


class LossScale:
    """The factor of the loss in the backward pass. It is on the device, so that the host never waits for it.

    A step with gradients that are not finite is skipped and lowers the scale. Only if it is 1 already, training has
    exploded. Without scaling the scale is always 1.
    """

    def __init__(self, scaled: bool, device: torch.device) -> None:
        self._scaled = scaled
        self.scale = torch.full((), FIRST_SCALE if scaled else 1.0, device=device)
        self.good_steps = torch.zeros((), dtype=torch.int32, device=device)  # since the scale last changed
        self._no_overflow = torch.ones((), dtype=torch.bool, device=device)

    def apply(self, loss: Tensor) -> Tensor:
        """The loss () times the scale."""
        return loss * self.scale if self._scaled else loss

    def remove(self, parameters: Iterable[nn.Parameter]) -> Tensor:
        """Divides the gradients by the scale. Returns whether all are finite, (), or True without scaling."""
        if not self._scaled:
            return self._no_overflow
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        overflow = torch.zeros_like(self.scale)
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, overflow, self.scale.reciprocal())
        return overflow == 0

    def update(self, finite: Tensor) -> Tensor:
        """Adapts the scale after a step, whose gradients were `finite` () or not. Returns whether it exploded, ()."""
        if not self._scaled:
            return ~finite
        exploded = ~finite & (self.scale <= 1)
        torch._amp_update_scale_(self.scale, self.good_steps, (~finite).float(), GROWTH, BACKOFF, GROWTH_INTERVAL)
        self.scale.clamp_(min=1)
        return exploded

    def dump(self) -> Tensors:
        """What a checkpoint stores; nothing without scaling."""
        if not self._scaled:
            return {}
        return {"loss_scale": self.scale.cpu().numpy(), "loss_scale.good_steps": self.good_steps.cpu().numpy()}

    def restore(self, tensors: Tensors) -> None:
        """Continues from a checkpoint, or starts again if training before it did not scale the loss."""
        fresh = LossScale(self._scaled, self.scale.device)
        self.scale, self.good_steps = fresh.scale, fresh.good_steps
        if self._scaled and "loss_scale" in tensors:
            self.scale.fill_(float(tensors["loss_scale"]))
            self.good_steps.fill_(int(tensors["loss_scale.good_steps"]))
