import re
import threading
import time
from pathlib import Path

import pytest
import torch

import charrnn_cli
from charrnn_cli.errors import UsageError
from charrnn_cli.network import precision as precision_module
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.precision import NumberFormat, exact_products, number_format

CPU, GPU = torch.device("cpu"), torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.mark.parametrize("chip", [{"avx512_bf16": True}, {"amx_tile": True}])
def test_bfloat16_is_used_if_the_cpu_has_instructions_for_it(monkeypatch, chip):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: chip, raising=False)
    assert number_format("auto", CPU, "lstm").name == "bfloat16"
    assert number_format("bfloat16", CPU, "lstm").name == "bfloat16"
    assert number_format("float32", CPU, "lstm").name == "float32"
    assert number_format("auto", CPU, "gru").name == "float32"  # oneDNN has only the LSTM


def test_bfloat16_is_refused_if_it_would_be_slow(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True}, raising=False)
    assert number_format("auto", CPU, "lstm").name == "float32"
    with pytest.raises(UsageError, match=r"`precision=bfloat16` is not faster on this CPU for the cell LSTM"):
        number_format("bfloat16", CPU, "lstm")


def test_an_older_torch_without_capabilities_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert number_format("auto", CPU, "lstm").name == "float32"


@pytest.mark.parametrize("device", ["cpu", "mps"])
@pytest.mark.parametrize("name", ["float16", "tf32"])
def test_formats_of_a_gpu_are_refused_elsewhere(device, name):
    with pytest.raises(UsageError, match=rf"`precision={name}` is not faster") as error:
        number_format(name, torch.device(device), "lstm")
    assert device in str(error.value).lower()
    assert "Pass `precision=auto` or `precision=float32`." in str(error.value)


def a_gpu(monkeypatch, capability, computes):
    """A GPU of a generation on which cuDNN computes in some 16-bit types."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(precision_module, "_cudnn_computes", lambda dtype, device, cell: dtype in computes)


@pytest.mark.parametrize(
    ("capability", "computes", "chosen"),
    [
        ((9, 0), {torch.float16, torch.bfloat16}, "float16"),
        ((7, 5), {torch.float16}, "float16"),
        ((9, 0), set(), "tf32"),
        ((7, 5), set(), "float32"),
        ((6, 1), {torch.float16}, "float32"),
    ],
)
def test_auto_takes_the_fastest_format_of_a_gpu(monkeypatch, capability, computes, chosen):
    a_gpu(monkeypatch, capability, computes)
    assert number_format("auto", GPU, "lstm") == NumberFormat(chosen, "cuda")


def test_a_gpu_computes_in_bfloat16_only_if_cudnn_does(monkeypatch):
    a_gpu(monkeypatch, (9, 0), {torch.float16, torch.bfloat16})
    assert number_format("bfloat16", GPU, "lstm").name == "bfloat16"
    a_gpu(monkeypatch, (9, 0), {torch.float16})
    with pytest.raises(UsageError, match=r"`precision=bfloat16` is not faster on this GPU for the cell GRU"):
        number_format("bfloat16", GPU, "gru")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_trial_sees_that_cudnn_does_not_compute_on_a_cpu(cell):
    assert not precision_module._cudnn_computes(torch.bfloat16, CPU, cell)


def test_only_float16_scales_the_loss():
    formats = ("float32", "tf32", "bfloat16", "float16")
    assert [name for name in formats if NumberFormat(name, "cuda").scaled] == ["float16"]


def flags() -> tuple[bool, str]:
    """Whether cuDNN rounds to TF32, and whether the output layer does."""
    assert torch.backends.cudnn.enabled
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.mark.parametrize(
    ("name", "expected"), [("float32", (False, "highest")), ("tf32", (True, "high")), ("float16", (True, "highest"))]
)
def test_float32_is_float32_on_a_gpu_and_tf32_has_its_own_name(name, expected):
    for _ in range(2):
        before = flags()
        with NumberFormat(name, "cuda").step():
            assert flags() == expected
        assert flags() == before == (True, "highest")


def test_on_a_cpu_no_flag_changes():
    before = flags()
    for name in ("float32", "bfloat16"):
        with NumberFormat(name, "cpu").step():
            assert flags() == before


def test_the_forward_pass_on_a_cpu_computes_in_the_format():
    product = {}
    for name in ("float32", "bfloat16"):
        with NumberFormat(name, "cpu").forward():
            product[name] = torch.ones(2, 2) @ torch.ones(2, 2)
    assert [value.dtype for value in product.values()] == [torch.float32, torch.bfloat16]


def test_exact_products_switch_tf32_off_but_leave_cudnn_on():
    torch.backends.cudnn.allow_tf32 = True
    before = torch.backends.cudnn.enabled
    with exact_products("cuda"):
        assert torch.backends.cudnn.enabled
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.enabled == before


def test_no_flag_of_cudnn_switches_it_off():
    """The argument `enabled` of torch.backends.cudnn.flags is False unless it is passed."""
    sources = [path.read_text("utf-8") for path in Path(charrnn_cli.__file__).parent.rglob("*.py")]
    calls = [call for source in sources for call in re.findall(r"cudnn\.flags\(([^)]*)\)", source)]
    assert calls
    assert all("enabled=True" in call for call in calls)


@needs_gpu
@pytest.mark.parametrize("name", ["float32", "tf32"])
def test_on_a_gpu_tf32_rounds_and_float32_does_not(name):
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no TF32")
    torch.manual_seed(0)
    layer = torch.nn.LSTM(256, 256).cuda()
    x = torch.randn(4, 8, 256, device="cuda")
    exact, _ = layer.double()(x.double())
    with NumberFormat(name, "cuda").step():
        output, _ = layer.float()(x)
    assert ((output - exact).abs().max() < 1e-5) == (name == "float32")


@needs_gpu
def test_on_a_gpu_the_trial_finds_float16():
    assert precision_module._cudnn_computes(torch.float16, GPU, CELLS["lstm"])


def test_several_threads_do_not_change_the_flags_of_each_other():
    wrong = []

    def compute(name, expected):
        for _ in range(50):
            with NumberFormat(name, "cuda").step():
                time.sleep(0)
                if flags() != expected:
                    wrong.append((name, flags()))

    threads = [
        threading.Thread(target=compute, args=one)
        for one in [("float32", (False, "highest")), ("tf32", (True, "high"))] * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert flags() == (True, "highest")
