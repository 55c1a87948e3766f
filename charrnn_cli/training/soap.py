"""SOAP's rotation of gradients: Adam learns more per step if they are less correlated (Vyas et al., arXiv 2409.11321).

This is the one-sided form of the paper, for the weights (R, C) of a layer with C inputs. Before Adam sees the gradient
G (R, C), it is multiplied by an orthogonal basis (C, C), and the step of Adam is multiplied by the transpose. The
columns of the basis approximate the eigenvectors of the covariance (C, C), the running mean of G'G. The rows, which
belong to the gates, are not rotated: that would cost about as much again, and it lowered no loss.
"""

import torch
from torch import Tensor

COVARIANCE_STEPS, BASIS_STEPS = 4, 20  # from one update to the next
COVARIANCE_DECAY = 0.95  # of the running mean, per update
MOST_INPUTS = 2048  # of a layer that is rotated; memory grows with their square, the time of QR with their cube


def start_covariance(weight: Tensor) -> Tensor:
    """The covariance (C, C) before the first step, for a weight (R, C)."""
    return weight.new_zeros(weight.shape[1], weight.shape[1])


def start_basis(weight: Tensor) -> Tensor:
    """The basis (C, C) before the first step, for a weight (R, C): nothing is rotated."""
    return torch.eye(weight.shape[1], device=weight.device)


def product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix product of factors that are rounded to `dtype`, computed in it and returned in float32."""
    return (left.to(dtype) @ right.to(dtype)).float()


def update_covariance(covariance: Tensor, gradient: Tensor, skip: Tensor | None, dtype: torch.dtype) -> None:
    """Moves the running mean towards the covariance of a gradient (R, C), unless `skip` () is above 0."""
    newest = product(gradient.T, gradient, dtype)
    covariance.lerp_(_unless(skip, newest, covariance), 1 - COVARIANCE_DECAY)


def update_basis(basis: Tensor, covariance: Tensor, momentum: Tensor, skip: Tensor | None) -> None:
    """Moves the basis towards the eigenvectors, by one step of orthogonal iteration, and the momentum (R, C) with it.

    Adam's mean squares stay, because the basis changes slowly. With `skip` () above 0, nothing changes.
    """
    device = basis.device if basis.device.type == "cuda" else torch.device("cpu")  # not every device has this function
    newest = torch.linalg.qr((covariance @ basis).to(device)).Q.to(basis.device)
    momentum.copy_(_unless(skip, momentum @ (basis.T @ newest), momentum))
    basis.copy_(_unless(skip, newest, basis))


def _unless(skip: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    return new if skip is None else torch.where(skip > 0, old, new)
