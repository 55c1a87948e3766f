"""`charrnn sample` beside one nn.LSTM call per character, 2 x 512, 83 characters, one after the other, several times.

The baseline is a script that prints "... N characters/s". Also: how long after the command starts the first new
character is written, by the bundled model.

    python tests/benchmarks/sampling_speed.py naive_sampler.py
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.generation.generate import generate
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.text.vocabulary import Vocabulary

HIDDEN, EMBEDDING, LENGTH = 512, 64, 5000
VOCABULARY = Vocabulary("char", tuple(chr(33 + i) for i in range(83)))


def weights() -> dict[str, np.ndarray]:
    random, V, H = np.random.default_rng(0), len(VOCABULARY), HIDDEN
    shapes = {"embedding.weight": (V, EMBEDDING), "head.weight": (V, H), "head.bias": (V,)}
    for k, inputs in enumerate((EMBEDDING, H)):
        shapes |= {f"rnn.weight_ih_l{k}": (4 * H, inputs), f"rnn.weight_hh_l{k}": (4 * H, H)}
        shapes |= {f"rnn.bias_ih_l{k}": (4 * H,), f"rnn.bias_hh_l{k}": (4 * H,)}
    return {name: random.uniform(-0.04, 0.04, shape).astype(np.float32) for name, shape in shapes.items()}


def ours() -> float:
    """Characters/s of one text, everything that `sample` does for each included."""
    engine = NumpyEngine(weights(), ModelSettings(hidden=HIDDEN, layers=2, embedding=EMBEDDING, residual=False))
    settings, random = SamplingSettings(length=LENGTH, top_n=5), np.random.default_rng(0)
    pieces = generate(engine, VOCABULARY, [0], settings, random)
    for _ in range(50):
        next(pieces)
    started = time.perf_counter()
    count = sum(map(len, pieces))
    return count / (time.perf_counter() - started)


def theirs(script: Path) -> float:
    printed = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d,]+) characters/s", printed)[1].replace(",", ""))


def first_character() -> float:
    """Seconds from the start of the command to the first character after the prime."""
    command = [sys.executable, "-m", "charrnn_cli", "sample", "--prime", "Far", "--seed", "1"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
        process.stdout.read(3)
        process.stdout.read(1)
        seconds = time.perf_counter() - started
        process.stdout.read()
    return seconds


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("baseline", type=Path)
parser.add_argument("--rounds", type=int, default=5)
args = parser.parse_args()
ratios = []
for _ in range(args.rounds):
    a, b = ours(), theirs(args.baseline)
    ratios.append(a / b)
    print(f"charrnn {a:,.0f} characters/s, one nn.LSTM call each {b:,.0f} characters/s: {a / b:.1f} times", flush=True)
print(f"median {statistics.median(ratios):.1f} times")
waits = [first_character() for _ in range(args.rounds)]
print(f"first character after {statistics.median(waits):.2f} s (median; from {min(waits):.2f} to {max(waits):.2f})")
