"""Compares the speed of `charrnn train` with a bare nn.LSTM training loop of the same shape, in turns.

The baseline is a script that prints "... N tokens/s ..." for --hidden --layers --batch --steps --vocab --repeat.

    python tests/benchmarks/training_speed.py raw_lstm.py
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

SHAPES = [  # layers, hidden, embedding, vocabulary, batch, seq-length, steps
    (2, 512, 64, 83, 100, 100, 12),
    (1, 512, 64, 83, 16, 64, 200),
    (2, 200, 200, 10_000, 20, 20, 300),
]


def charrnn(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "charrnn_cli", *arguments], check=True, stderr=subprocess.DEVNULL)


def ours(layers: int, hidden: int, embedding: int, vocabulary: int, batch: int, seq_length: int, steps: int) -> float:
    """Tokens/s, the median over the reports after the first."""
    run = prepared(vocabulary)
    shape = ["--layers", layers, "--hidden", hidden, "--embedding", embedding, "--no-residual", "--no-tie-weights"]
    more = ["--dropout", 0, "--input-dropout", 0, "--clip", 5, "--batch-size", batch, "--seq-length", seq_length]
    charrnn("train", run, "--no-preview", "--cpu", "--restart", "--steps", str(steps), *map(str, shape + more))
    records = map(json.loads, Path(f"runs/{run}/log.jsonl").read_text().splitlines())
    speeds = [record["tokens_per_second"] for record in records if record["kind"] == "report"]
    return statistics.median(speeds[1:])


def prepared(vocabulary: int) -> str:
    """Makes a run of random words with a vocabulary of this size. Returns its name."""
    name = f"random{vocabulary}"
    if not Path("runs", name).exists():
        words = [f"w{i}" for i in range(vocabulary - 1)]  # <eos> is one more
        drawn = words + random.Random(0).choices(words, k=2_000_000)
        Path(f"{name}.txt").write_text("\n".join(" ".join(drawn[i : i + 20]) for i in range(0, len(drawn), 20)))
        charrnn("prepare", f"{name}.txt", "--level", "word", "--split-on", "whitespace", "--valid", "0", "--test", "0")
    return name


def theirs(
    script: Path, layers: int, hidden: int, embedding: int, vocabulary: int, batch: int, seq_length: int, steps: int
) -> float:
    shape = ["--layers", layers, "--hidden", hidden, "--embedding", embedding, "--vocab", vocabulary]
    more = ["--batch", batch, "--steps", seq_length, "--repeat", steps]
    command = [sys.executable, script, *map(str, shape + more)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d,]+) tokens/s", printed)[1].replace(",", ""))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("baseline", type=Path)
parser.add_argument("--rounds", type=int, default=3)
args = parser.parse_args()
baseline = args.baseline.resolve()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for shape in SHAPES:
        layers, hidden, _, vocabulary, batch, seq_length, _ = shape
        print(f"{layers} x {hidden}, {vocabulary:,} tokens, batch {batch} x {seq_length}")
        ratios = []
        for _ in range(args.rounds):
            a, b = ours(*shape), theirs(baseline, *shape)
            ratios.append(a / b)
            print(f"  charrnn {a:,.0f} tokens/s, bare nn.LSTM {b:,.0f} tokens/s, ratio {a / b:.3f}", flush=True)
        print(f"  median ratio {statistics.median(ratios):.3f}")
