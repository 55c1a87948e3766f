import numpy as np
import pytest
import torch

from charrnn_cli.analysis.reading import CellReading, read_with_cells
from charrnn_cli.config import ModelSettings
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.threads import steady_threads


def read(network: LanguageModel, ids: np.ndarray) -> CellReading:
    steps = read_with_cells(network, ids, 2, torch.device("cpu"), steady_threads())
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_cell_is_what_a_single_pass_leaves(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one stream exactly; several streams with a warm-up come close."""
    torch.manual_seed(0)
    network = LanguageModel(ModelSettings(cell=cell, hidden=4, layers=2, embedding=3), 5).eval()
    ids = np.random.default_rng(0).integers(0, 5, 150).astype(np.int32)
    state, expected, bits = network.zero_state(1), [], []
    with torch.no_grad():
        for last, token in zip([2, *ids[:-1].tolist()], ids.tolist(), strict=True):
            logits, state = network(torch.tensor([[last]]), state)
            expected.append(torch.stack(state).flatten().numpy())
            bits.append(-logits[0, 0].log_softmax(0)[token].item() / np.log(2))
        _, state = network(torch.tensor([[ids[-1]]]), state)
        expected.append(torch.stack(state).flatten().numpy())
    for warm_up, tolerance in ((256, 1e-3), (20, 0.02)):
        monkeypatch.setattr("charrnn_cli.analysis.reading.WARM_UP", warm_up)
        reading = read(network, ids)
        np.testing.assert_allclose(reading.cells.T, np.stack(expected[1:]), atol=tolerance)
        np.testing.assert_allclose(reading.bits, bits, atol=tolerance)
    assert reading.predicted.shape == (150,)
