import warnings

import pytest
import torch
from torch import nn

from charrnn_cli.config import ModelSettings
from charrnn_cli.network import model as model_module
from charrnn_cli.network import recurrent
from charrnn_cli.network.cells import CELLS, CellSpec
from charrnn_cli.network.loss import cross_entropy
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.network.recurrent import (
    first_streams,
    in_one_block,
    pad_inputs,
    pad_streams,
    run_layer,
    run_steps,
    short_type,
)

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
T, B, E, H = 4, 3, 5, 128  # H fits the fast kernels, B and E do not
V = 83


def layer_and_input(cell: CellSpec) -> tuple[nn.Module, torch.Tensor, tuple[torch.Tensor, ...]]:
    torch.manual_seed(1)
    return cell.module(E, H), torch.randn(T, B, E), tuple(torch.randn(1, B, H) for _ in cell.states)


def with_gradients(output, layer):
    layer.zero_grad()
    output.square().sum().backward()
    return [output.detach(), *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_layer_computes_the_same_as_torchs_module(cell):
    layer, x, state = layer_and_input(cell)
    output, new_state = run_layer(cell, list(layer.parameters()), x, state, train=True)
    theirs, their_state = layer(x, state if len(state) > 1 else state[0])
    torch.testing.assert_close(new_state, their_state if len(state) > 1 else (their_state,))
    torch.testing.assert_close(with_gradients(output, layer), with_gradients(theirs, layer))


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_steps_leave_the_states_of_a_layer_that_reads_as_far(cell):
    layer, x, state = layer_and_input(cell)
    weights = list(layer.parameters())
    states = run_steps(cell, weights, x, state)
    for t in range(T):
        output, new_state = run_layer(cell, weights, x[: t + 1], state, train=False)
        torch.testing.assert_close(tuple(part[t : t + 1] for part in states), new_state)
        torch.testing.assert_close(states[0][t], output[t])


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_weights_in_one_block_are_side_by_side_and_get_the_same_gradients(cell):
    layer, x, state = layer_and_input(cell)
    weights = list(layer.parameters())
    block = in_one_block(weights, torch.float32)
    assert all(torch.equal(part, weight) for part, weight in zip(block, weights, strict=True))
    ends = [part.data_ptr() + 4 * part.numel() for part in block]
    assert [part.data_ptr() for part in block[1:]] == ends[:-1]
    results = [with_gradients(run_layer(cell, w, x, state, train=True)[0], layer) for w in (block, weights)]
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_padded_layer_has_the_same_output_state_and_gradients(cell):
    layer, x, state = layer_and_input(cell)
    weights = list(layer.parameters())
    wide, wide_weights = pad_inputs(x, weights)
    padded_x, padded_state = pad_streams(wide, state)
    assert padded_x.shape == (T, 8, 128)
    assert [part.shape for part in padded_state] == [(1, 8, H)] * len(state)
    output, new_state = run_layer(cell, wide_weights, padded_x, padded_state, train=True)
    plain, plain_state = run_layer(cell, weights, x, state, train=True)
    torch.testing.assert_close(tuple(first_streams(part, B) for part in new_state), plain_state)
    torch.testing.assert_close(with_gradients(first_streams(output, B), layer), with_gradients(plain, layer))


def test_nothing_is_padded_that_fits_or_that_cannot_be_fast():
    x, state = torch.randn(T, 16, 256), (torch.randn(1, 16, H),)
    weights = [torch.randn(H, 256), torch.randn(H, H), torch.randn(H), torch.randn(H)]
    assert pad_streams(x, state) == (x, state)
    assert pad_inputs(x, weights) == (x, weights)
    odd = [torch.randn(20, 30), torch.randn(20, 20), torch.randn(20), torch.randn(20)]
    assert pad_inputs(torch.randn(T, 16, 30), odd)[1] is odd
    assert first_streams(x, 16) is x


def test_a_cpu_has_no_short_type():
    assert short_type(torch.device("cpu")) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert short_type(torch.device("cpu")) is None


def as_on_a_gpu(monkeypatch, dtype):
    for module in (recurrent, model_module):
        monkeypatch.setattr(module, "short_type", lambda device: dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_short_type_reaches_the_layer_whatever_autocast_says(monkeypatch, dtype):
    as_on_a_gpu(monkeypatch, dtype)
    seen = []

    def fake(x, hidden, weights, *_):
        seen.extend([x.dtype, hidden.dtype, *(weight.dtype for weight in weights)])
        seen.append(torch.is_autocast_enabled("cpu"))
        return x, hidden

    monkeypatch.setattr(torch, "rnn_tanh", fake)
    layer, x, state = layer_and_input(CELLS["rnn"])
    with torch.autocast("cpu", torch.bfloat16):
        run_layer(CELLS["rnn"], list(layer.parameters()), x, state, train=True)
    assert seen == [dtype] * 6 + [False]


SHAPES = [
    {"embedding": 0},
    {"embedding": 0, "input_dropout": 0.0, "layer_norm": True, "residual": True},
    {"embedding": 40, "residual": True},
    {"embedding": 128, "tie_weights": True},
    {"embedding": 40, "hidden": 24},
    {"embedding": 0, "cell": "gru"},
]


@pytest.mark.parametrize("settings", SHAPES, ids=str)
def test_a_padded_network_has_the_same_loss_gradients_and_hidden_state(monkeypatch, settings):
    """100 streams become 104, and a one-hot input of 83 becomes one of 128; here 3 become 8."""
    torch.manual_seed(0)
    network = LanguageModel(ModelSettings(**({"hidden": H, "layers": 2, "dropout": 0.0} | settings)), V)
    x, y = torch.randint(V, (2, B, 6))
    results = []
    for dtype in (None, torch.float32):
        as_on_a_gpu(monkeypatch, dtype)
        state = tuple(part + 0.1 for part in network.zero_state(B))
        logits, state = network(x, state)
        loss = cross_entropy(logits, y)
        network.zero_grad()
        loss.backward()
        results.append((loss.detach(), logits.detach(), state, [weight.grad for weight in network.parameters()]))
    torch.testing.assert_close(results[1], results[0])


def test_padding_leaves_the_weights_in_files_alone(monkeypatch):
    as_on_a_gpu(monkeypatch, torch.float32)
    network = LanguageModel(ModelSettings(hidden=H, layers=1, embedding=0, dropout=0.0), V)
    logits, (h, c) = network(torch.zeros(B, 2, dtype=torch.long), network.zero_state(B))
    assert get_weights(network)["rnn.weight_ih_l0"].shape == (4 * H, V)
    assert (logits.shape, h.shape, c.shape) == ((B, 2, V), (1, B, H), (1, B, H))


@needs_gpu
@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_on_a_gpu_weight_drop_does_not_scatter_the_weights(dtype):
    settings = ModelSettings(hidden=H, layers=2, embedding=0, dropout=0.0, weight_drop=0.5)
    network = LanguageModel(settings, V).to("cuda")
    x = torch.randint(V, (B, 20), device="cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # cuDNN warns if it has to copy weights into one block
        for _ in range(2):
            with torch.autocast("cuda", dtype, enabled=dtype is not None):
                logits, _ = network(x, network.zero_state(B))
            cross_entropy(logits, x).backward()


@needs_gpu
@pytest.mark.parametrize("cell", CELLS)
def test_on_a_gpu_float16_is_close_to_float32(cell):
    network = LanguageModel(ModelSettings(cell=cell, hidden=H, layers=2, embedding=0, dropout=0.0), V).to("cuda")
    x = torch.randint(V, (B, 20), device="cuda")
    exact, _ = network(x, network.zero_state(B))
    with torch.autocast("cuda", torch.float16):
        short, (h, *_) = network(x, network.zero_state(B))
    assert h.dtype == torch.float16
    torch.testing.assert_close(short.float(), exact, atol=0.02, rtol=0.02)
