import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.training.model import LanguageModel, file_names, get_weights, set_weights

V = 11


def model(**settings) -> LanguageModel:
    torch.manual_seed(0)
    defaults = {"hidden": 8, "layers": 2, "embedding": 5, "dropout": 0.0, "residual": False}
    return LanguageModel(ModelSettings(**(defaults | settings)), V)


def test_shapes():
    network = model()
    logits, (h, c) = network(torch.zeros(3, 4, dtype=torch.long), network.zero_state(3))
    assert (logits.shape, h.shape, c.shape) == ((3, 4, V), (2, 3, 8), (2, 3, 8))


def test_every_layer_has_weights_of_its_own_under_torchs_names():
    network = model(layers=3)
    names = set(file_names(network).values())
    assert {f"rnn.{kind}_l{k}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") for k in range(3)} < names
    assert len({parameter.data_ptr() for parameter in network.parameters()}) == len(names)
    assert network.parameter_count == sum(array.size for array in get_weights(network).values())


def test_the_stack_computes_what_torchs_own_does():
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


def test_state_carried_over_two_windows_is_one_window():
    network = model(residual=True)
    x = torch.randint(V, (2, 10))
    whole, _ = network(x, network.zero_state(2))
    first, state = network(x[:, :4], network.zero_state(2))
    second, _ = network(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


def test_one_hot_is_an_embedding_by_the_identity():
    one_hot, embedded = model(embedding=0), model(embedding=V)
    weights = get_weights(one_hot)
    set_weights(embedded, {**weights, "embedding.weight": torch.eye(V).numpy()})
    x = torch.randint(V, (2, 5))
    torch.testing.assert_close(one_hot(x, one_hot.zero_state(2)), embedded(x, embedded.zero_state(2)))


def test_a_residual_layer_adds_its_input():
    plain, residual = model(embedding=8), model(embedding=8, residual=True)
    set_weights(residual, {name: array * ("rnn" not in name) for name, array in get_weights(plain).items()})
    x = torch.randint(V, (1, 5))  # recurrent weights of zero give outputs of zero: what is left is the embedding
    logits, _ = residual(x, residual.zero_state(1))
    torch.testing.assert_close(logits, residual.head(residual.embedding(x)))


def test_dropout_is_off_while_a_model_is_scored():
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
