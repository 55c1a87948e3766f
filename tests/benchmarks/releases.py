"""Compares the speed of this checkout with another checkout of charrnn, side by side, several times.

    python tests/benchmarks/releases.py ../charrnn-0.1 anna.txt --rounds 5

Measures the time of the commands `sample` (1,000 characters), `prepare` (100 MB of characters), `train --help`, and the
tokens per second of `train` (2 x 384, batch 16 x 64). A ratio above 1 means that this checkout is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
SHAPE = "--hidden 384 --layers 2 --batch-size 16 --seq-length 64 --schedule constant --steps 200 --seed 0"


def charrnn(checkout: Path, *arguments: str) -> float:
    """Runs a command of a checkout; the seconds that it took."""
    command = [sys.executable, "-m", "charrnn_cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    started = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def help_speed(checkout: Path) -> float:
    return 1 / charrnn(checkout, "train", "--help")


def sample_speed(checkout: Path) -> float:
    arguments = ["--model", "anna", "--prime", "Far", "--length", "1000", "--seed", "1", "--engine", "numpy"]
    return 1 / charrnn(checkout, "sample", *arguments)


def prepare_speed(checkout: Path) -> float:
    return 1 / charrnn(checkout, "prepare", "large.txt", "--force")


def train_speed(checkout: Path) -> float:
    """Tokens per second between the first and the last report."""
    charrnn(checkout, "train", "small", "--restart", "--cpu", "--no-preview", *SHAPE.split())
    records = [json.loads(line) for line in Path("runs/small/log.jsonl").read_text().splitlines()]
    reports = [(record["step"], record["seconds"]) for record in records if record["kind"] == "report"]
    (first_step, first_seconds), (last_step, last_seconds) = reports[0], reports[-1]
    return 16 * 64 * (last_step - first_step) / (last_seconds - first_seconds)


MEASURES: dict[str, Callable[[Path], float]] = {
    "train --help": help_speed,
    "sample, 1,000 characters": sample_speed,
    "prepare, 100 MB": prepare_speed,
    "train, 2 x 384, batch 16 x 64": train_speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("text", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    other, text = options.other.resolve(), options.text.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("small.txt").write_bytes(text)
        Path("large.txt").write_bytes(text * (1 + 100_000_000 // len(text)))
        charrnn(HERE, "prepare", "small.txt", "--valid", "0", "--test", "0")
        for name, measure in MEASURES.items():
            ratios = []
            for number in range(options.rounds):
                order = (HERE, other) if number % 2 else (other, HERE)
                speeds = {checkout: measure(checkout) for checkout in order}
                ratios.append(speeds[HERE] / speeds[other])
            rounds = " ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"{name}: median ratio {statistics.median(ratios):.3f} (rounds: {rounds})", flush=True)


if __name__ == "__main__":
    main()
