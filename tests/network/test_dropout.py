import pytest
import torch

from charrnn_cli.network.dropout import dropout

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("device", DEVICES)
def test_the_given_share_is_dropped_and_the_mean_stays(device, probability):
    torch.manual_seed(1)
    y = dropout(torch.ones(1000, 1000, device=device), probability)
    assert (y == 0).double().mean().item() == pytest.approx(probability, abs=0.003)
    assert y.double().mean().item() == pytest.approx(1, abs=0.01)
    assert y.unique().numel() == 2


def test_neighboring_numbers_are_dropped_independently():
    torch.manual_seed(1)
    kept = (dropout(torch.ones(4_000_000), 0.5) > 0).double() - 0.5
    for distance in range(1, 9):
        assert (kept[:-distance] * kept[distance:]).mean().item() == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (7, 5), (0, 4), (2, 3, 9)])
def test_the_shape_stays(shape):
    torch.manual_seed(1)
    y = dropout(torch.ones(shape), 0.5)
    assert y.shape == shape
    assert set(y.flatten().tolist()) <= {0.0, 2.0}


def test_a_probability_just_below_1_drops_everything():
    torch.manual_seed(1)
    assert dropout(torch.ones(100), 1 - 1e-9).count_nonzero() == 0


def test_dropped_numbers_get_no_gradient():
    torch.manual_seed(1)
    x = torch.randn(50, 30, requires_grad=True)
    y = dropout(x, 0.4)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad * x, y)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_seed_drops_the_same_numbers(device):
    x = torch.ones(999, device=device)
    torch.manual_seed(1)
    first = dropout(x, 0.5)
    again = dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(again, first)
