import pytest
import torch

from charrnn_cli.config import ModelSettings
from charrnn_cli.network import speed
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.speed import REFERENCE_FLOPS, operations_per_token, relative_cpu_speed


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_token_takes_six_operations_for_each_weight_of_a_product(cell, layers):
    settings = ModelSettings(cell=cell, hidden=7, layers=layers, embedding=5)
    model = LanguageModel(settings, 11)
    weights = [p for name, p in model.named_parameters() if p.dim() == 2 and not name.startswith("embedding")]
    assert operations_per_token(settings, 11) == 6 * sum(weight.numel() for weight in weights)


@pytest.mark.parametrize(("share", "expected"), [(1.0, 1.0), (0.8, 1.0), (1.3, 1.0), (0.25, 0.25), (8.0, 8.0)])
def test_a_similar_machine_counts_as_the_reference(monkeypatch, share, expected):
    monkeypatch.setattr(speed, "_probe_flops", lambda: share * REFERENCE_FLOPS)
    relative_cpu_speed.cache_clear()
    assert relative_cpu_speed() == expected
    relative_cpu_speed.cache_clear()


def test_the_probe_measures_something_and_leaves_the_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert speed._probe_flops() > 1e7
    assert torch.rand(1) == expected
