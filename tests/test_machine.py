import ctypes
import os
import subprocess
import sys

import pytest

from charrnn_cli.machine import (
    M_MMAP_THRESHOLD,
    M_TRIM_THRESHOLD,
    available_cores,
    choose_kernels,
    keep_freed_memory,
    limit_spinning,
)

ZEN_4 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx2 avx512f vme\n"


@pytest.fixture
def no_core_type(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "")  # so that monkeypatch restores it
    monkeypatch.delenv("OPENBLAS_CORETYPE")


@pytest.mark.parametrize(
    ("processor", "core_type"),
    [
        (ZEN_4, "Haswell"),
        (ZEN_4.replace("avx512f ", ""), None),  # Zen 3
        (ZEN_4.replace("25", "26"), None),  # Zen 5 computes 512 bits at once
        (ZEN_4.replace("AuthenticAMD", "GenuineIntel"), None),
    ],
)
def test_avx2_kernels_are_chosen_on_zen_4_only(folder, no_core_type, processor, core_type):
    (folder / "cpuinfo").write_text(processor)
    choose_kernels(folder / "cpuinfo")
    assert os.environ.get("OPENBLAS_CORETYPE") == core_type


def test_without_cpuinfo_nothing_is_chosen(folder, no_core_type):
    choose_kernels(folder / "cpuinfo")
    assert "OPENBLAS_CORETYPE" not in os.environ


def test_a_core_type_of_the_user_stays(folder, monkeypatch):
    (folder / "cpuinfo").write_text(ZEN_4)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    choose_kernels(folder / "cpuinfo")
    assert os.environ["OPENBLAS_CORETYPE"] == "Prescott"


def test_only_cores_that_the_process_may_use_are_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert available_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert available_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1


def test_glibc_is_told_to_keep_large_blocks(monkeypatch):
    calls = {}

    class Glibc:
        def __init__(self, name):
            self.mallopt = calls.__setitem__

    monkeypatch.setattr(ctypes, "CDLL", Glibc)
    keep_freed_memory()
    assert calls == {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: 1 << 30}


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_without_glibc_nothing_happens(monkeypatch, error):
    def missing(_):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", missing)
    keep_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    keep_freed_memory()


def test_importing_the_module_changes_nothing():
    code = "import os; before = dict(os.environ); import charrnn_cli.machine; print(dict(os.environ) == before)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


@pytest.mark.parametrize(("before", "after"), [(None, "10000"), ("7", "7")])
def test_threads_spin_for_a_short_time_unless_the_user_decides(monkeypatch, before, after):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    if before is not None:
        monkeypatch.setenv("GOMP_SPINCOUNT", before)
    limit_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == after
    monkeypatch.delenv("GOMP_SPINCOUNT")
