import gc
import weakref

import pytest
import torch
from support import TEXT, prepare_text

from charrnn_cli.errors import DeviceError
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.weights import load_tensors
from charrnn_cli.training import loop
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.events import MemoryFull
from charrnn_cli.training.loop import train_steps
from charrnn_cli.training.parts import joined, micro_batches
from charrnn_cli.training.setup import set_up

CPU = torch.device("cpu")
SMALL = {"hidden": 8, "layers": 1, "embedding": 4, "batch_size": 5, "seq_length": 8, "dropout": 0.2, "reset": 0.3}
FULL = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
)


def full_at(calls, error, monkeypatch, backward=False):
    """Raises an error in some of the passes through the network, counted from 1, in all steps."""
    original, count = loop.cross_entropy, [0]

    def full(gradient):
        raise type(error)(*error.args)  # a new one, which does not keep frames alive

    def cross_entropy(logits, y):
        count[0] += 1
        loss = original(logits, y)
        if count[0] in calls and not backward:
            raise type(error)(*error.args)
        if count[0] in calls:
            loss.register_hook(full)
        return loss

    monkeypatch.setattr(loop, "cross_entropy", cross_entropy)


def run_for(run, most, **settings):
    setup = set_up(run, Request(settings), CPU)
    counters, first = setup.state.counters, setup.state.counters.step
    return list(train_steps(setup, lambda: counters.step >= first + most))


def weights(run):
    last = checkpoints(run)[-1]
    tensors = {**load_tensors(last.weights), **load_tensors(last.tensors)}
    del tensors["loss_sum"]  # since the last report, which comes by the time
    return {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_micro_batches_join_to_the_whole(count):
    x, y, hidden = torch.arange(10).view(5, 2), torch.arange(10, 20).view(5, 2), (torch.randn(3, 5, 7),)
    parts = micro_batches(x, y, hidden, count)
    assert [part.last for part in parts] == [False] * (count - 1) + [True]
    assert torch.equal(torch.cat([part.x for part in parts]), x)
    assert torch.equal(torch.cat([part.y for part in parts]), y)
    for number, part in enumerate(parts):
        part.loss = torch.tensor(float(number))
    loss, (state,) = joined(parts)
    assert loss == sum(range(count))
    assert torch.equal(state, hidden[0])


@pytest.mark.parametrize(
    ("call", "backward", "error"), [(1, False, 0), (1, True, 1), (5, False, 2), (5, True, 3), (5, True, 4)]
)
def test_a_step_without_enough_memory_is_taken_again_in_twice_the_parts(folder, monkeypatch, error, call, backward):
    """The run ends with the weights of one whose batches were split from that step on."""
    whole, full = prepare_text(folder, TEXT, name="whole"), prepare_text(folder, TEXT, name="full")
    if call > 1:
        run_for(whole, call - 1, **SMALL, steps=9)
        run_for(whole, 99, accumulate=2)
    else:
        run_for(whole, 99, **SMALL, steps=9, accumulate=2)
    full_at({call}, FULL[error], monkeypatch, backward)
    events = run_for(full, 99, **SMALL, steps=9)
    split = [event for event in events if isinstance(event, MemoryFull)]
    assert [(event.step, event.accumulate) for event in split] == [(call - 1, 2)]
    assert "memoryfull" in [record["kind"] for record in read_log(full.log)]
    assert Config.load(full.config).training == Config.load(whole.config).training
    expected, found = weights(whole), weights(full)
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


def test_a_later_part_that_fails_takes_the_gradients_of_the_earlier_ones_with_it(folder, monkeypatch):
    whole, full = prepare_text(folder, TEXT, name="whole"), prepare_text(folder, TEXT, name="full")
    run_for(whole, 3, **SMALL, steps=3, accumulate=4)
    full_at({2}, FULL[0], monkeypatch)  # the second of two parts
    run_for(full, 3, **SMALL, steps=3, accumulate=2)
    expected, found = weights(whole), weights(full)
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


class Kept:
    """A tensor that a graph keeps for its backward pass."""

    def __init__(self, tensor):
        self.tensor = tensor


@pytest.mark.parametrize("backward", [False, True])
def test_a_failed_attempt_keeps_no_memory(fox, monkeypatch, backward):
    full_at({3}, FULL[0], monkeypatch, backward)
    failing, kept, alive = loop.cross_entropy, weakref.WeakSet(), []

    def pack(tensor):
        kept.add(one := Kept(tensor.detach()))  # an output of a node would hold the node
        return one

    def counted(logits, y):
        alive.append(len(kept))
        return failing(logits, y)

    monkeypatch.setattr(loop, "cross_entropy", counted)
    gc.disable()
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one.tensor):
            run_for(fox, 5, **SMALL, steps=5)
    finally:
        gc.enable()
    assert len(alive) == 9  # two steps, the attempt that fails, and three steps in two parts
    assert alive == [alive[0]] * 9  # only what the latest forward pass kept


def test_a_batch_that_cannot_be_split_further_ends_with_a_clear_error(fox, monkeypatch):
    full_at(range(3, 100), FULL[0], monkeypatch)
    with pytest.raises(DeviceError, match=r"already reads one stream at a time.*`restart=True` and a smaller"):
        run_for(fox, 99, **SMALL, steps=9)
    parts = [record["accumulate"] for record in read_log(fox.log) if record["kind"] == "memoryfull"]
    assert parts == [2, 4, 5]


def test_other_errors_pass(fox, monkeypatch):
    full_at({1}, RuntimeError("a bug"), monkeypatch)
    with pytest.raises(RuntimeError, match="a bug"):
        run_for(fox, 99, **SMALL, steps=9)
