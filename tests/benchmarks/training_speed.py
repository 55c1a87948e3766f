"""`charrnn train` beside a bare nn.LSTM training loop of the same shape, one after the other, several times.

The baseline is a script that prints "... N tokens/s ..." for --hidden --layers --batch --steps --vocab --repeat.

    python tests/benchmarks/training_speed.py ../shared/bench/raw_lstm.py
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPES = [  # layers, hidden, batch, seq-length, steps
    (2, 512, 100, 100, 12),
    (1, 512, 16, 64, 200),
]
VOCABULARY = 83


def charrnn(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "charrnn_cli", *arguments], check=True, stderr=subprocess.DEVNULL)


def ours(layers: int, hidden: int, batch: int, seq_length: int, steps: int) -> float:
    """Tokens/s, the median over the reports after the first."""
    shape = ["--layers", layers, "--hidden", hidden, "--batch-size", batch, "--seq-length", seq_length]
    more = ["--embedding", 64, "--dropout", 0, "--clip", 5, "--no-residual", "--steps", steps, "--cpu", "--restart"]
    charrnn("train", "random", "--no-preview", *map(str, shape + more))
    records = map(json.loads, Path("runs/random/log.jsonl").read_text().splitlines())
    speeds = [record["tokens_per_second"] for record in records if record["kind"] == "report"]
    return statistics.median(speeds[1:])


def theirs(script: Path, layers: int, hidden: int, batch: int, seq_length: int, steps: int) -> float:
    shape = ["--layers", layers, "--hidden", hidden, "--batch", batch, "--steps", seq_length, "--vocab", VOCABULARY]
    command = [sys.executable, script, *map(str, shape), "--repeat", str(steps)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d,]+) tokens/s", printed)[1].replace(",", ""))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("baseline", type=Path)
parser.add_argument("--rounds", type=int, default=3)
args = parser.parse_args()
baseline = args.baseline.resolve()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    letters = [chr(33 + i) for i in range(VOCABULARY)]
    Path("random.txt").write_text("".join(random.Random(0).choices(letters, k=3_000_000)))
    charrnn("prepare", "random.txt", "--valid", "0", "--test", "0")
    for shape in SHAPES:
        layers, hidden, batch, seq_length, _ = shape
        print(f"{layers} x {hidden}, batch {batch} x {seq_length}")
        ratios = []
        for _ in range(args.rounds):
            a, b = ours(*shape), theirs(baseline, *shape)
            ratios.append(a / b)
            print(f"  charrnn {a:,.0f} tokens/s, bare nn.LSTM {b:,.0f} tokens/s, ratio {a / b:.3f}", flush=True)
        print(f"  median ratio {statistics.median(ratios):.3f}")
