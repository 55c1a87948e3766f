"""Compares the speed of `charrnn sample` with one nn.LSTM call per character: 2 x 512, 83 characters, several rounds.

The baseline is a script that prints "... N characters/s". For charrnn, everything that `sample` does for each character
counts, with each engine, for one text and for many in parallel, with the same filter as the baseline. Also measures the
time of the whole command for 1,000 characters of the bundled model, and the time until its first new character.

    python tests/benchmarks/sampling_speed.py naive_sampler.py
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from charrnn_cli.machine import choose_kernels

choose_kernels()  # as the command does, before NumPy is loaded

import numpy as np

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.reading import read_tokens
from charrnn_cli.generation.texts import Piece, write_texts
from charrnn_cli.machine import keep_freed_memory
from charrnn_cli.text.vocabulary import Vocabulary

HIDDEN, EMBEDDING = 512, 64
VOCABULARY = Vocabulary("char", tuple(chr(33 + i) for i in range(83)))
SETTINGS = ModelSettings(hidden=HIDDEN, layers=2, embedding=EMBEDDING, residual=False)
CHARACTERS = {1: 4000, 64: 250, 256: 100}  # length of each text, by the number of texts in parallel


def weights() -> dict[str, np.ndarray]:
    random, V, H = np.random.default_rng(0), len(VOCABULARY), HIDDEN
    shapes = {"embedding.weight": (V, EMBEDDING), "head.weight": (V, H), "head.bias": (V,)}
    for k, inputs in enumerate((EMBEDDING, H)):
        shapes |= {f"rnn.weight_ih_l{k}": (4 * H, inputs), f"rnn.weight_hh_l{k}": (4 * H, H)}
        shapes |= {f"rnn.bias_ih_l{k}": (4 * H,), f"rnn.bias_hh_l{k}": (4 * H,)}
    return {name: random.uniform(-0.04, 0.04, shape).astype(np.float32) for name, shape in shapes.items()}


def engines() -> dict[str, object]:
    found: dict[str, object] = {"numpy": NumpyEngine(weights(), SETTINGS)}
    try:
        from charrnn_cli.generation.onnx_engine import OnnxEngine
    except ImportError:
        return found
    return {**found, "onnx": OnnxEngine(weights(), SETTINGS)}


def ours(engine: object, texts: int) -> float:
    """Characters per second of charrnn for this number of texts."""
    settings = SamplingSettings(length=CHARACTERS[texts], temperature=1.0, top_n=5, top_p=1.0)
    events = write_texts(engine, VOCABULARY, read_tokens(engine, VOCABULARY, [0]), settings, 0, texts)
    next(events)
    started = time.perf_counter()
    count = sum(len(event.text) for event in events if isinstance(event, Piece) and not event.prime)
    return count / (time.perf_counter() - started)


def theirs(script: Path, texts: int) -> float:
    command = [sys.executable, script, "--streams", str(texts)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d,]+) characters/s", printed)[1].replace(",", ""))


def process(engine: str, first: bool) -> float:
    """Seconds from the start of the command to its end, or to the first character after the prime."""
    command = [sys.executable, "-m", "charrnn_cli", "sample", "--prime", "Far", "--length", "1000", "--engine", engine]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as running:
        if first:
            running.stdout.read(3)
            running.stdout.read(1)
            seconds = time.perf_counter() - started
        running.stdout.read()
    return seconds if first else time.perf_counter() - started


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} (from {min(values):.2f} to {max(values):.2f})"


keep_freed_memory()  # as the command does
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("baseline", type=Path)
parser.add_argument("--rounds", type=int, default=5)
args = parser.parse_args()
rates: dict[tuple[str, int], list[float]] = {}
for _ in range(args.rounds):
    for texts in CHARACTERS:
        base = theirs(args.baseline, texts)
        rates.setdefault(("baseline", texts), []).append(base)
        line = [f"{texts} texts: baseline {base:,.0f} characters/s"]
        for name, engine in engines().items():
            rate = ours(engine, texts)
            rates.setdefault((name, texts), []).append(rate)
            line.append(f"{name} {rate:,.0f} ({rate / base:.1f} times)")
        print(", ".join(line), flush=True)
for (name, texts), found in rates.items():
    ratios = [rate / base for rate, base in zip(found, rates["baseline", texts], strict=True)]
    rate = f"{statistics.median(found):,.0f} characters/s"
    print(f"{name}, {texts} texts: median {rate}, {spread(ratios)} times the baseline")
for name in engines():
    print(
        f"{name}: 1,000 characters, the whole command: {spread([process(name, False) for _ in range(args.rounds)])} s"
    )
    print(f"{name}: first character: {spread([process(name, True) for _ in range(args.rounds)])} s")
