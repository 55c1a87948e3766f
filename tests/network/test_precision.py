import pytest
import torch

from charrnn_cli.errors import UsageError
from charrnn_cli.network.precision import exact_products, use_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize("chip", [{"avx512_bf16": True}, {"amx_tile": True}])
def test_bfloat16_is_used_if_the_cpu_has_instructions_for_it(monkeypatch, chip):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: chip, raising=False)
    assert use_bfloat16("auto", CPU, "lstm")
    assert use_bfloat16("bfloat16", CPU, "lstm")
    assert not use_bfloat16("float32", CPU, "lstm")
    assert not use_bfloat16("auto", CPU, "gru")  # oneDNN has only the LSTM


def test_bfloat16_is_refused_if_it_would_be_slow(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True}, raising=False)
    assert not use_bfloat16("auto", CPU, "lstm")
    with pytest.raises(UsageError, match=r"`precision=bfloat16` is not faster on this CPU for the cell LSTM"):
        use_bfloat16("bfloat16", CPU, "lstm")


def test_an_older_torch_without_capabilities_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not use_bfloat16("auto", CPU, "lstm")


def test_exact_products_switch_tf32_off_but_leave_cudnn_on():
    torch.backends.cudnn.allow_tf32 = True
    before = torch.backends.cudnn.enabled
    with exact_products():
        assert torch.backends.cudnn.enabled
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.enabled == before
