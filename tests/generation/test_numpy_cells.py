import numpy as np
import pytest
import torch

from charrnn_cli.generation.numpy_cells import NUMPY_STEPS, CellWeights, rnn_step, sigmoid
from charrnn_cli.network.cells import CELLS


@pytest.mark.parametrize("name", NUMPY_STEPS)
def test_a_step_computes_the_same_as_torchs_layer(name):
    torch.manual_seed(0)
    inputs, hidden, streams = 3, 5, 4
    spec, numpy_cell = CELLS[name], NUMPY_STEPS[name]
    assert len(numpy_cell.gate_scales) == spec.gates
    layer = spec.module(inputs, hidden)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = numpy_cell.arrange(CellWeights(*(layer.get_parameter(one).detach().numpy() for one in names)))
    x, state = torch.randn(streams, inputs), tuple(torch.randn(streams, hidden) for _ in spec.states)
    of_input = x.numpy() @ weights.of_input.T + weights.input_bias
    arrays = tuple(part.numpy() for part in state)
    found = numpy_cell.step(of_input, arrays[0] @ weights.of_state.T, arrays, weights.state_bias)
    states = tuple(part[None] for part in state)
    output, expected = layer(x[None], states if len(states) > 1 else states[0])
    np.testing.assert_allclose(found[0], output[0].detach().numpy(), atol=1e-6)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs[0].detach().numpy(), atol=1e-6)


def test_the_rnn_cell_gives_the_numbers_of_a_tutorial():
    """The tutorial unrolls an RNN in NumPy; it stacks the weights of state and input in one matrix."""
    of_state = np.array([[0.1, 0.2], [0.3, 0.4]])  # applied as state @ of_state
    of_input, bias = np.array([[0.5, 0.6]]), np.array([0.1, -0.1])
    head, head_bias = np.array([[1.0], [2.0]]), 0.1
    state, outputs = (np.zeros((1, 2)),), []
    for x in (1.0, 2.0):
        state = rnn_step(np.array([[x]]) @ of_input + bias, state[0] @ of_state, state, bias)
        outputs.append((state[0] @ head + head_bias).item())
    assert outputs == pytest.approx([1.561, 2.727], abs=5e-4)


def test_the_sigmoid_does_not_overflow():
    values = sigmoid(np.array([-1e30, -1.0, 0.0, 1.0, 1e30], np.float32))
    np.testing.assert_allclose(values, [0, 0.26894143, 0.5, 0.7310586, 1], rtol=1e-6)
