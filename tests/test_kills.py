import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_few_of_the_kills_that_the_benchmark_makes():
    script = Path(__file__).parent / "benchmarks" / "kills.py"
    done = subprocess.run([sys.executable, script, "--kills", "5"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 failures") == 3
