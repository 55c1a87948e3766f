import os

import pytest

from charrnn_cli.machine import choose_kernels

ZEN_4 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx2 avx512f vme\n"


@pytest.mark.parametrize(
    ("processor", "taken"),
    [
        (ZEN_4, "Haswell"),
        (ZEN_4.replace("avx512f ", ""), None),  # Zen 3
        (ZEN_4.replace("25", "26"), None),  # Zen 5 computes 512 bits at once
        (ZEN_4.replace("AuthenticAMD", "GenuineIntel"), None),
        (None, None),
    ],
)
def test_only_where_it_pays_and_nobody_has_said(folder, monkeypatch, processor, taken):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "")  # so that it is put back
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    if processor:
        (folder / "cpuinfo").write_text(processor)
    choose_kernels(folder / "cpuinfo")
    assert os.environ.get("OPENBLAS_CORETYPE") == taken
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    choose_kernels(folder / "cpuinfo")
    assert os.environ["OPENBLAS_CORETYPE"] == "Prescott"
