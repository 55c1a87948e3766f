import pytest
import torch
from torch import nn

from charrnn_cli.training import loss_scale as module
from charrnn_cli.training.loss_scale import FIRST_SCALE, LossScale

CPU = torch.device("cpu")
YES, NO = torch.tensor(True), torch.tensor(False)


def gradients_of(weight: nn.Parameter, scale: LossScale, factor: float = 1.0) -> torch.Tensor:
    weight.grad = None
    scale.apply((weight * factor).sin().sum()).backward()
    return scale.remove([weight])


def test_a_scale_that_is_removed_changes_no_gradient():
    weight = nn.Parameter(torch.randn(50, generator=torch.Generator().manual_seed(1)))
    results = []
    for scaled in (False, True):
        assert gradients_of(weight, LossScale(scaled, CPU)).item() is True
        results.append(weight.grad)
    assert torch.equal(*results)


def test_small_gradients_survive_in_float16_only_with_a_scale():
    """The reason for the scale: what is below 6e-8 is 0 in float16."""
    weight = nn.Parameter(torch.ones(3))
    for scaled in (False, True):
        scale = LossScale(scaled, CPU)
        weight.grad = None
        scale.apply((weight.half() * 1.0).float().sum() * 1e-8).backward()
        scale.remove([weight])
        assert torch.allclose(weight.grad, torch.full((3,), 1e-8 if scaled else 0.0), rtol=1e-2, atol=0)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_is_noticed(number):
    scale, weights = LossScale(True, CPU), [nn.Parameter(torch.ones(3)) for _ in range(3)]
    for weight in weights[:2]:
        weight.grad = torch.ones(3)  # the last one has none
    assert scale.remove(weights).item() is True
    weights[1].grad[2] = number
    assert scale.remove(weights).item() is False


def test_the_scale_follows_torchs_scaler(monkeypatch):
    monkeypatch.setattr(module, "GROWTH_INTERVAL", 3)
    weight = nn.Parameter(torch.ones(2))
    theirs, optimizer = torch.amp.GradScaler("cpu", growth_interval=3), torch.optim.SGD([weight], 0.0)
    ours = LossScale(True, CPU)
    for finite in map(bool, torch.randint(4, (60,), generator=torch.Generator().manual_seed(3)).tolist()):
        weight.grad = None
        theirs.scale(weight.sum() * (1.0 if finite else float("inf"))).backward()
        theirs.step(optimizer)
        theirs.update()
        assert not ours.update(YES if finite else NO)
        assert ours.scale.item() == theirs.get_scale()


def test_a_step_explodes_only_when_the_scale_is_1():
    scale = LossScale(True, CPU)
    exploded = [scale.update(NO).item() for _ in range(19)]
    assert exploded == [False] * 16 + [True] * 3
    assert FIRST_SCALE == 2**16
    assert scale.scale == 1
    assert not scale.update(YES)


def test_without_scaling_every_step_that_is_not_finite_has_exploded():
    scale = LossScale(False, CPU)
    loss = torch.tensor(2.0)
    assert scale.apply(loss) is loss
    assert scale.update(NO)
    assert not scale.update(YES)
    assert scale.scale == 1
    assert scale.dump() == {}


def test_a_restored_scale_continues_alike(monkeypatch):
    monkeypatch.setattr(module, "GROWTH_INTERVAL", 3)
    scale, restored = LossScale(True, CPU), LossScale(True, CPU)
    for finite in (NO, NO, YES, YES):
        scale.update(finite)
    restored.restore({name: value.copy() for name, value in scale.dump().items()})
    for finite in (YES, YES, NO, YES):
        assert restored.dump() == scale.dump() != {}
        scale.update(finite)
        restored.update(finite)


def test_a_checkpoint_without_a_scale_starts_with_the_first_one():
    scale = LossScale(True, CPU)
    scale.update(NO)
    scale.restore({})
    assert scale.scale == FIRST_SCALE
    unscaled = LossScale(False, CPU)
    unscaled.restore(LossScale(True, CPU).dump())
    assert unscaled.scale == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_the_host_never_waits():
    gpu = torch.device("cuda")
    scale, weight = LossScale(True, gpu), nn.Parameter(torch.ones(3, device=gpu))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            scale.update(gradients_of(weight, scale))
    finally:
        torch.cuda.set_sync_debug_mode("default")
