"""Measures the time until the first step of `charrnn train`, for corpora of different sizes.

The ids are a sparse file of that many gigabytes: it takes no space on the disk, and reads as zeros.

    python tests/benchmarks/start_speed.py
    python tests/benchmarks/start_speed.py --gigabytes 0.001 10 100 --rounds 5
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHARRNN = [sys.executable, "-m", "charrnn_cli"]
TEXT = "It was the hour when lamps are lit, and nobody in the house had yet thought of supper.\n"


def prepared(tokens: int) -> str:
    """Makes a run with this many training tokens. Returns its name."""
    name = f"of-{tokens}"
    subprocess.run(
        [*CHARRNN, "prepare", "-", "--name", name], input=TEXT * 1000, text=True, check=True, stderr=subprocess.DEVNULL
    )
    corpus = Path("runs", name, "corpus")
    info = json.loads((corpus / "corpus.json").read_text())
    info["tokens"]["train"] = tokens
    (corpus / "corpus.json").write_text(json.dumps(info))
    os.truncate(corpus / "train.bin", tokens)
    return name


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.001, 10])
parser.add_argument("--rounds", type=int, default=3)
args = parser.parse_args()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    runs = {gigabytes: prepared(int(gigabytes * 1e9)) for gigabytes in args.gigabytes}
    for _ in range(args.rounds):
        for gigabytes, name in runs.items():
            started = time.perf_counter()
            subprocess.run(
                [*CHARRNN, "train", name, "--steps", "1", "--cpu", "--restart", "--no-preview"],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            seconds = time.perf_counter() - started
            log = [json.loads(line) for line in Path("runs", name, "log.jsonl").read_text().splitlines()]
            trained = next(record["seconds"] for record in log if record["kind"] == "validating")
            inside = log[-1]["seconds"]
            print(
                f"{gigabytes:g} GB: the first step is done after {seconds - inside + trained:.2f} s, the command with "
                f"validation and checkpoint took {seconds:.2f} s; "
                f"peak memory so far {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000:.0f} MB",
                flush=True,
            )
