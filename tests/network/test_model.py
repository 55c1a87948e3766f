import subprocess
import sys

import numpy as np
import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import (
    LanguageModel,
    RecurrentStack,
    file_names,
    get_weights,
    set_weights,
    trained_model,
)

V = 11


def model(**settings) -> LanguageModel:
    torch.manual_seed(0)
    defaults = {"hidden": 8, "layers": 2, "embedding": 5, "dropout": 0.0, "residual": False}
    return LanguageModel(ModelSettings(**(defaults | settings)), V)


def test_shapes():
    network = model()
    logits, (h, c) = network(torch.zeros(3, 4, dtype=torch.long), network.zero_state(3))
    assert (logits.shape, h.shape, c.shape) == ((3, 4, V), (2, 3, 8), (2, 3, 8))


def test_each_layer_has_its_own_weights_with_torchs_names():
    network = model(layers=3)
    names = set(file_names(network).values())
    assert {f"rnn.{kind}_l{k}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") for k in range(3)} < names
    assert len({parameter.data_ptr() for parameter in network.parameters()}) == len(names)
    assert network.parameter_count == sum(array.size for array in get_weights(network).values())


def test_the_stack_computes_the_same_as_torchs_own_lstm():
    network = model()
    reference = torch.nn.LSTM(5, 8, 2)
    reference.load_state_dict(
        {
            name.removeprefix("rnn."): torch.from_numpy(array)
            for name, array in get_weights(network).items()
            if "rnn" in name
        }
    )
    x, state = torch.randn(6, 3, 5), (torch.randn(2, 3, 8), torch.randn(2, 3, 8))
    (ours, our_state), (theirs, their_state) = network.rnn(x, state), reference(x, state)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(our_state, their_state)


def test_two_windows_with_a_carried_state_equal_one_window():
    network = model(residual=True)
    x = torch.randint(V, (2, 10))
    whole, _ = network(x, network.zero_state(2))
    first, state = network(x[:, :4], network.zero_state(2))
    second, _ = network(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


def test_one_hot_input_equals_an_identity_embedding():
    one_hot, embedded = model(embedding=0), model(embedding=V)
    weights = get_weights(one_hot)
    set_weights(embedded, {**weights, "embedding.weight": torch.eye(V).numpy()})
    x = torch.randint(V, (2, 5))
    torch.testing.assert_close(one_hot(x, one_hot.zero_state(2)), embedded(x, embedded.zero_state(2)))


def test_a_residual_layer_adds_its_input():
    plain, residual = model(embedding=8), model(embedding=8, residual=True)
    set_weights(residual, {name: array * ("rnn" not in name) for name, array in get_weights(plain).items()})
    x = torch.randint(V, (1, 5))  # recurrent weights of zero give outputs of zero, so only the embedding is left
    logits, _ = residual(x, residual.zero_state(1))
    torch.testing.assert_close(logits, residual.head(residual.embedding(x)))


def test_there_is_no_dropout_in_evaluation():
    network = model(dropout=0.5)
    x = torch.randint(V, (1, 5))
    assert not torch.equal(network(x, network.zero_state(1))[0], network(x, network.zero_state(1))[0])
    network.eval()
    assert torch.equal(network(x, network.zero_state(1))[0], network(x, network.zero_state(1))[0])


@pytest.mark.parametrize("layers", [1, 3])
def test_the_forget_gate_starts_open(layers):
    weights = get_weights(model(layers=layers))
    for k in range(layers):
        forget = (weights[f"rnn.bias_ih_l{k}"] + weights[f"rnn.bias_hh_l{k}"])[8:16]
        assert forget.tolist() == [1.0] * 8


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_the_other_cells_compute_the_same_as_torchs_own(cell):
    network = model(cell=cell)
    reference = {"gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell](5, 8, 2)
    reference.load_state_dict(
        {
            name.removeprefix("rnn."): torch.from_numpy(array)
            for name, array in get_weights(network).items()
            if "rnn" in name
        }
    )
    x, state = torch.randn(6, 3, 5), torch.randn(2, 3, 8)
    ours, (our_state,) = network.rnn(x, (state,))
    theirs, their_state = reference(x, state)
    torch.testing.assert_close((ours, our_state), (theirs, their_state))


def test_weights_start_uniform_within_init_scale_and_biases_at_zero():
    weights = get_weights(model(embedding=8, init_scale=0.05, forget_bias=0.0))
    for name, array in weights.items():
        if "rnn.bias" in name:
            assert not array.any()
        else:
            assert 0.02 < abs(array).max() <= 0.05, name


def test_the_forget_gates_start_with_the_forget_bias():
    weights = get_weights(model(init_scale=0.05, forget_bias=2.0))
    assert (weights["rnn.bias_ih_l1"] + weights["rnn.bias_hh_l1"]).tolist() == [0.0] * 8 + [2.0] * 8 + [0.0] * 16


def test_tied_weights_are_one_matrix_with_one_gradient():
    tied = model(embedding=8, tie_weights=True)
    assert "head.weight" not in get_weights(tied)
    assert tied.parameter_count == model(embedding=8).parameter_count - V * 8
    x = torch.zeros(1, 3, dtype=torch.long)
    logits, _ = tied(x, tied.zero_state(1))
    logits.sum().backward()
    assert (tied.embedding.weight.grad != 0).all()  # from the output layer; the embedding alone would reach one row


def test_input_dropout_applies_to_the_embedding():
    network = model(input_dropout=0.9, hidden=64, embedding=64, layers=1)
    seen = []
    original = network.rnn.run_layer
    network.rnn.run_layer = lambda *a: (seen.append(a[2]), original(*a))[1]
    x = torch.randint(V, (4, 10))
    network(x, network.zero_state(4))
    network.eval()(x, network.zero_state(4))
    assert 0.8 < (seen[0] == 0).float().mean() < 0.97
    assert (seen[1] != 0).all()


def test_the_bare_stack_learns_to_continue_a_sine_wave():
    """The recurrent stack works without an embedding: numbers go in, and a linear layer reads its last output."""
    torch.manual_seed(0)
    stack = RecurrentStack(1, ModelSettings(hidden=30, layers=2, dropout=0.0, residual=False))
    head = torch.nn.Linear(30, 1)
    wave = torch.sin(0.01 * torch.arange(11_000))
    windows = wave.unfold(0, 11, 1)  # (N, 11): ten values and the next one
    train, after = windows[:10_000], windows[10_000:]
    parameters = [*stack.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters)

    def predict(rows):
        output, _ = stack(rows[:, :10].T[:, :, None], stack.zero_state(len(rows)))  # (10, B, 30)
        return head(output[-1])[:, 0]

    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 600)
        rows = train[torch.randint(len(train), (32,))]
        loss = (predict(rows) - rows[:, 10]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = (predict(after) - after[:, 10]).square().mean().sqrt()
    assert error < 0.02


def test_locked_dropout_drops_the_same_units_at_all_tokens_of_a_stream():
    torch.manual_seed(0)
    stack = RecurrentStack(5, ModelSettings(hidden=8, locked_dropout=True))
    kept = stack.drop(torch.ones(7, 4, 50), 0.5)  # (T, B, units)
    assert torch.equal(kept, kept[:1].expand_as(kept))
    assert not torch.equal(kept[:, 0], kept[:, 1])
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(stack.eval().drop(torch.ones(7, 4, 50), 0.5), torch.ones(7, 4, 50))


@pytest.mark.parametrize("cell", CELLS)
def test_weight_drop_applies_to_the_recurrent_weights_in_training_only(cell):
    network, whole = model(cell=cell, weight_drop=0.5), model(cell=cell)
    x = torch.randint(V, (2, 6))
    first, second = (network(x, network.zero_state(2))[0] for _ in range(2))
    torch.testing.assert_close(first[:, 0], second[:, 0])  # the state is zero at the first token
    assert not torch.allclose(first[:, 1:], second[:, 1:])
    first.sum().backward()
    assert network.rnn.layers[0].weight_hh_l0.grad.eq(0).float().mean() > 0.2
    torch.testing.assert_close(network.eval()(x, network.zero_state(2)), whole(x, whole.zero_state(2)))


def test_with_layer_norm_the_scale_of_the_embedding_does_not_matter():
    network, larger = model(layer_norm=True), model(layer_norm=True)
    set_weights(
        larger, {name: array * (9 if "embedding" in name else 1) for name, array in get_weights(network).items()}
    )
    x = torch.randint(V, (2, 6))
    torch.testing.assert_close(network(x, network.zero_state(2)), larger(x, larger.zero_state(2)), atol=1e-4, rtol=1e-4)
    assert {"rnn.norm_weight_l0", "rnn.norm_bias_l2"} < set(get_weights(network))


@pytest.mark.parametrize("cell", CELLS)
def test_there_is_a_state_tensor_for_each_state_of_the_cell(cell):
    network = model(cell=cell)
    _, state = network(torch.zeros(3, 4, dtype=torch.long), network.zero_state(3))
    assert [part.shape for part in state] == [(2, 3, 8)] * len(CELLS[cell].states)


def test_an_unknown_cell_is_refused():
    with pytest.raises(UsageError, match="`cell` must be"):
        model(cell="foo")


def test_a_trained_model_multiplies_its_logits_by_the_scale_in_its_file():
    network = model()
    weights = get_weights(network)
    plain, scaled = (
        trained_model(network.settings, {**weights, **extra}, torch.device("cpu"))
        for extra in ({}, {"head.scale": np.array([0.5], np.float32)})
    )
    x = torch.randint(V, (1, 5))
    torch.testing.assert_close(scaled(x, scaled.zero_state(1))[0], 0.5 * plain(x, plain.zero_state(1))[0])


def test_importing_the_module_adds_no_filter_for_warnings():
    code = "import warnings, torch; n = len(warnings.filters); import charrnn_cli.network.model as _; "
    subprocess.run([sys.executable, "-c", f"{code}assert len(warnings.filters) == n"], check=True, cwd="/")
