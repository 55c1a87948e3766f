"""The programs in tests/benchmarks run by hand. These tests only start the one that users run for bug reports."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

GPU = Path(__file__).parent / "benchmarks" / "gpu.py"


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(GPU), *arguments], capture_output=True, text=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_the_gpu_report_says_in_one_line_that_it_needs_a_gpu():
    result = report()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("no CUDA GPU: PyTorch ")
    assert result.stderr.count("\n") == 1


@pytest.mark.processes
def test_on_a_cpu_its_sections_run_in_small():
    result = report("--cpu", "--sections", "versions")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "skipped: needs CUDA" in result.stdout
    assert result.stdout.endswith("1 of 1 sections ran to their end.\n")
    assert report("--cpu", "--sections", "nothing").returncode == 2
