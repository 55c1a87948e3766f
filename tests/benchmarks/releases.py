"""Compares the speed of this checkout with another checkout of charrnn, side by side, several times.

    python tests/benchmarks/releases.py ../charrnn-0.1 anna.txt --rounds 5

Measures the time of the commands `sample` (1,000 characters), `prepare` (100 MB of characters) and `train --help`, and
the tokens per second of `train` (2 x 384, batch 16 x 64, all cores). A ratio above 1: this checkout is faster.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
SHAPE = "--hidden 384 --layers 2 --batch-size 16 --seq-length 64 --schedule constant --steps 100000 --seed 0"
TOKENS = 16 * 64  # of a step
SECONDS = 4  # of a turn


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


class Training:
    """A training that is stopped, except while it is its turn."""

    def __init__(self, checkout: Path, threads: int) -> None:
        folder = Path(tempfile.mkdtemp(dir="."))
        (folder / "small.txt").write_bytes(Path("small.txt").read_bytes())
        options = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(checkout)}, "stdout": subprocess.DEVNULL}
        program = [sys.executable, "-m", "charrnn_cli"]
        subprocess.run([*program, "prepare", "small.txt"], check=True, stderr=subprocess.DEVNULL, **options)
        described = subprocess.run([*program, "train", "--help"], check=True, **options | {"stdout": subprocess.PIPE})
        fixed = ["--threads", str(threads)] if b"--threads" in described.stdout else []
        command = [*program, "train", "small", "--cpu", "--no-preview", *SHAPE.split(), *fixed]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **options)
        self.log = folder / "runs/small/log.jsonl"
        while not self.log.exists() or not self.steps:
            time.sleep(0.1)
        self.process.send_signal(signal.SIGSTOP)
        self.seconds, self.first_step = 0.0, self.steps

    @property
    def steps(self) -> int:
        records = map(json.loads, self.log.read_text().splitlines())
        return max((record["step"] for record in records if record["kind"] == "report"), default=0)

    def turn(self, seconds: float) -> None:
        started = time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGSTOP)
        self.seconds += time.perf_counter() - started

    @property
    def speed(self) -> float:
        """Tokens per second of its turns."""
        return TOKENS * (self.steps - self.first_step) / self.seconds


def compare_trainings(other: Path, turns: int) -> None:
    """Prints the ratio of the speeds of two trainings that run in turns, so that both see the same machine."""
    threads = len(os.sched_getaffinity(0))
    trainings = [Training(checkout, threads) for checkout in (HERE, other)]
    try:
        for number in range(1, turns + 1):
            for training in trainings if number % 2 else trainings[::-1]:
                training.turn(SECONDS)
            if number % 5 == 0:
                here, there = (training.speed for training in trainings)
                speeds = f"({here:,.0f} and {there:,.0f} tokens/s)"
                print(f"train, 2 x 384: ratio {here / there:.3f} after {number} turns {speeds}", flush=True)
    finally:
        for training in trainings:
            training.process.kill()
            training.process.wait()


MEASURES: dict[str, Callable[[Path], float]] = {
    "train --help": help_speed,
    "sample, 1,000 characters": sample_speed,
    "prepare, 100 MB": prepare_speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("text", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=25, help="turns of each training")
    options = parser.parse_args()
    other, text = options.other.resolve(), options.text.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("small.txt").write_bytes(text)
        Path("large.txt").write_bytes(text * (1 + 100_000_000 // len(text)))
        for name, measure in MEASURES.items():
            ratios = []
            for number in range(options.rounds):
                order = (HERE, other) if number % 2 else (other, HERE)
                speeds = {checkout: measure(checkout) for checkout in order}
                ratios.append(speeds[HERE] / speeds[other])
            rounds = " ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"{name}: median ratio {statistics.median(ratios):.3f} (rounds: {rounds})", flush=True)
        compare_trainings(other, options.turns)


if __name__ == "__main__":
    main()
