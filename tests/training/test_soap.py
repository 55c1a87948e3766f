import pytest
import torch

from charrnn_cli.training import soap

GOOD, BROKEN = torch.tensor(0.0), torch.tensor(1.0)


@pytest.fixture
def covariance():
    """Of 6 inputs whose variances are 1 to 32 along rotated axes."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
    return axes @ torch.diag(2.0 ** torch.arange(6)) @ axes.T


def test_the_basis_becomes_the_eigenvectors_of_the_covariance(covariance):
    basis = soap.start_basis(torch.zeros(2, 6))
    for _ in range(60):
        soap.update_basis(basis, covariance, torch.zeros(2, 6), GOOD)
        torch.testing.assert_close(basis.T @ basis, torch.eye(6))
    diagonal = basis.T @ covariance @ basis
    torch.testing.assert_close(diagonal, torch.diag(2.0 ** torch.arange(5, -1, -1)), atol=1e-3, rtol=1e-3)


def test_the_momentum_stays_the_same_in_the_space_of_the_weights(covariance):
    momentum, basis = torch.randn(2, 6), soap.start_basis(torch.zeros(2, 6))
    before = momentum @ basis.T
    soap.update_basis(basis, covariance, momentum, GOOD)
    assert not torch.equal(basis, torch.eye(6))
    torch.testing.assert_close(momentum @ basis.T, before)


def test_the_covariance_is_a_running_mean():
    gradient = torch.randn(50, 6)
    covariance = soap.start_covariance(gradient)
    for _ in range(200):
        soap.update_covariance(covariance, gradient, GOOD, torch.float32)
    torch.testing.assert_close(covariance, gradient.T @ gradient, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("gradient", [torch.nan, torch.inf])
def test_a_skipped_gradient_changes_nothing(covariance, gradient):
    momentum, basis = torch.randn(2, 6), soap.start_basis(torch.zeros(2, 6))
    before = [part.clone() for part in (covariance, momentum, basis)]
    soap.update_covariance(covariance, torch.full((2, 6), gradient), BROKEN, torch.float32)
    soap.update_basis(basis, covariance, momentum, BROKEN)
    assert all(torch.equal(part, other) for part, other in zip((covariance, momentum, basis), before, strict=True))
