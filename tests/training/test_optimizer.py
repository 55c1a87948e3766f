import subprocess
import sys
from typing import get_args

import pytest
import torch

from charrnn_cli.config import OptimizerName, TrainingSettings
from charrnn_cli.training import soap
from charrnn_cli.training.optimizer import OPTIMIZERS, Optimizer

TORCH = {
    "adam": lambda parameters: torch.optim.Adam(parameters, 0.01, fused=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, 0.01, weight_decay=0.1, fused=True),
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.01, fused=True),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, 0.01),
    "soap": lambda parameters: torch.optim.AdamW(parameters, 0.01, weight_decay=0.1, fused=True),  # without layers
}
DECAYING = ("adamw", "soap")
GOOD, BROKEN = torch.tensor(False), torch.tensor(True)


def parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 3), (7,))]


def gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(shape, generator=generator) for shape in ((5, 3), (7,))]


def test_every_optimizer_of_the_settings_has_an_entry():
    assert set(OPTIMIZERS) == set(get_args(OptimizerName)) == set(TORCH)


@pytest.mark.parametrize("name", TORCH)
def test_steps_equal_those_of_torch_to_the_last_bit(name):
    mine, theirs = parameters(), parameters()
    settings = TrainingSettings(steps=30, optimizer=name, weight_decay=0.1 if name in DECAYING else 0.0)
    optimizer, torchs = Optimizer(mine, settings), TORCH[name](theirs)
    for step in range(1, 30):
        rate = 0.01 / step
        torchs.param_groups[0]["lr"] = rate
        for own, other, gradient in zip(mine, theirs, gradients(step), strict=True):
            own.grad, other.grad = gradient, gradient.clone()
        optimizer.step(rate, GOOD, step - 1)
        torchs.step()
        assert all(torch.equal(own, other) for own, other in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("name", TORCH)
def test_a_skipped_step_changes_nothing(name):
    results = []
    for steps in ((1, 2, 3), (1, -1, 2, 3)):
        mine = parameters()
        optimizer = Optimizer(mine, TrainingSettings(steps=30, optimizer=name), layers=mine[:1])
        for step in steps:
            for own, gradient in zip(mine, gradients(abs(step)), strict=True):
                own.grad = gradient if step > 0 else gradient / 0
            optimizer.step(0.01, GOOD if step > 0 else BROKEN, 20 * abs(step))
        results.append([*mine, *(value for values in optimizer.moments.values() for value in values)])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("name", TORCH)
def test_the_host_does_not_read_whether_a_step_is_skipped(name, monkeypatch):
    """On a GPU it would have to wait for that."""
    mine = parameters()
    optimizer = Optimizer(mine, TrainingSettings(steps=30, optimizer=name), layers=mine[:1])
    for own, gradient in zip(mine, gradients(1), strict=True):
        own.grad = gradient

    def refuse(tensor):
        raise AssertionError("the host reads a tensor")

    for method in ("__bool__", "item"):
        monkeypatch.setattr(torch.Tensor, method, refuse)
    optimizer.step(0.01, BROKEN, 0)
    optimizer.step(0.01, GOOD, 1)


@pytest.mark.parametrize("name", TORCH)
def test_a_reset_forgets_all_steps(name):
    mine, settings = parameters(), TrainingSettings(steps=30, optimizer=name)
    optimizer, fresh = (Optimizer(mine, settings, layers=mine[:1]) for _ in range(2))
    for own, gradient in zip(mine, gradients(1), strict=True):
        own.grad = gradient
    optimizer.step(0.01, GOOD, 0)
    assert not optimizer.moments or not same(optimizer.moments, fresh.moments)
    optimizer.reset()
    assert same(optimizer.moments, fresh.moments)


def same(moments, others) -> bool:
    pairs = ((value, other) for name in moments for value, other in zip(moments[name], others[name], strict=True))
    return moments.keys() == others.keys() and all(torch.equal(value, other) for value, other in pairs)


def test_soap_learns_from_correlated_inputs_in_fewer_steps():
    """A linear layer of 16 inputs that are mixtures of each other; the loss is that of the weights that are right."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 16, generator=generator) @ torch.randn(16, 16, generator=generator)
    goal = torch.randn(8, 16, generator=generator)
    losses = {}
    for name in ("adamw", "soap"):
        weight = torch.nn.Parameter(torch.zeros(8, 16))
        optimizer = Optimizer([weight], TrainingSettings(steps=30, optimizer=name, weight_decay=0.0), layers=[weight])
        for step in range(200):
            loss = (inputs @ (weight - goal).T).square().mean()
            weight.grad = torch.autograd.grad(loss, weight)[0]
            optimizer.step(0.05, GOOD, step)
        losses[name] = loss.item()
    assert losses["soap"] < 0.5 * losses["adamw"]


def test_soap_does_not_rotate_a_layer_with_too_many_inputs():
    """Such as one whose inputs are one-hot vectors of many words."""
    weights = [torch.nn.Parameter(torch.zeros(2, soap.MOST_INPUTS + more)) for more in (0, 1)]
    optimizer = Optimizer(weights, TrainingSettings(steps=30, optimizer="soap"), layers=weights)
    assert [basis.numel() > 0 for basis in optimizer.moments["basis"]] == [True, False]


def test_soap_decays_weights_like_adamw():
    weights = []
    for name in DECAYING:
        weight = torch.nn.Parameter(torch.ones(4, 3))
        weight.grad = torch.zeros(4, 3)
        Optimizer([weight], TrainingSettings(steps=30, optimizer=name, weight_decay=0.5), layers=[weight]).step(
            0.1, GOOD, 1
        )
        weights.append(weight.detach())
    torch.testing.assert_close(*weights)
    torch.testing.assert_close(weights[0], torch.full((4, 3), 0.95))


def test_training_does_not_load_the_compiler(fox):
    """It takes longer to load than torch itself."""
    code = (
        "import sys\nfrom charrnn_cli.cli import main\n"
        f"sys.argv[1:] = {['train', fox.name, '--steps', '2', '--cpu', '--no-preview']!r}\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
