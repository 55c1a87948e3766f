"""Measures train, evaluate and sample on an idle machine, beside one busy process, and beside several.

    python tests/benchmarks/busy.py anna.txt --rounds 3
    python tests/benchmarks/busy.py anna.txt --checkout ../charrnn-0.1      # another release, for comparison

For each load it prints tokens per second with the number of threads that follows the load, and with one thread. With
--checkout only the first of them is measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
LOADS = {"idle": 0, "1 busy process": 1, "6 busy processes": 6}
SPIN = "while True: sum(i * i for i in range(10000))"
SHAPE = "--hidden 384 --layers 2 --batch-size 16 --seq-length 64 --schedule constant --minutes 0.7 --seed 0"
SCORED = 100_000  # characters
MATRIX = "import numpy as np\na = np.ones((800, 800), np.float32)\nwhile True: a @ a"  # what a second training does


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keeps the machine busy with this many processes, every second of which uses all cores."""
    running = [subprocess.Popen([sys.executable, "-c", MATRIX if k % 2 else SPIN]) for k in range(processes)]
    time.sleep(1 if running else 0)
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def charrnn(checkout: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "charrnn_cli", *arguments]
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


def train_speed(checkout: Path, *threads: str) -> float:
    """Tokens per second of the last half of a training."""
    charrnn(checkout, "train", "text", "--restart", "--cpu", "--no-preview", *SHAPE.split(), *threads)
    records = [json.loads(line) for line in Path("runs/text/log.jsonl").read_text().splitlines()]
    reports = [(record["step"], record["seconds"]) for record in records if record["kind"] == "report"]
    if len(reports) < 2:
        return 0.0
    (first_step, first_seconds), (last_step, last_seconds) = reports[len(reports) // 2 - 1], reports[-1]
    return 16 * 64 * (last_step - first_step) / (last_seconds - first_seconds)


def evaluate_speed(engine: str) -> "Measure":
    def measure(checkout: Path, *threads: str) -> float:
        arguments = ["--model", "anna", "scored.txt", "--cpu", "--json", "--engine", engine, *threads]
        score = json.loads(charrnn(checkout, "evaluate", *arguments))
        return float(score["tokens"] / score["seconds"])

    return measure


def sample_speed(engine: str, texts: int) -> "Measure":
    def measure(checkout: Path, *threads: str) -> float:
        length = 4000 if texts == 1 else 300
        arguments = ["--model", "anna", "--length", str(length), "--num", str(texts), "--engine", engine, *threads]
        started = time.perf_counter()
        charrnn(checkout, "sample", "--seed", "1", *arguments)
        return length * texts / (time.perf_counter() - started)

    return measure


Measure = type(train_speed)
MEASURES = {
    "train, 2 x 384": train_speed,
    "evaluate, torch": evaluate_speed("torch"),
    "evaluate, numpy": evaluate_speed("numpy"),
    "sample, numpy, 1 text": sample_speed("numpy", 1),
    "sample, numpy, 64 texts": sample_speed("numpy", 64),
    "sample, onnx, 64 texts": sample_speed("onnx", 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkout", type=Path, help="a checkout without --threads to measure instead of this one")
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    options = parser.parse_args()
    text, checkout = options.text.read_bytes(), (options.checkout or HERE).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("text.txt").write_bytes(text)
        Path("scored.txt").write_bytes(text[:SCORED])
        charrnn(checkout, "prepare", "text.txt", "--valid", "0", "--test", "0")
        for name, measure in MEASURES.items():
            if options.only not in name:
                continue
            for load_name, processes in LOADS.items():
                following, single = [], []
                for _ in range(options.rounds):
                    with load(processes):
                        following.append(measure(checkout))
                        if not options.checkout:
                            single.append(measure(checkout, "--threads", "1"))
                line = f"{name}, {load_name}: {statistics.median(following):,.0f} tokens/s"
                if single:
                    ratio = statistics.median(a / b for a, b in zip(following, single, strict=True))
                    line += f", one thread {statistics.median(single):,.0f}, ratio {ratio:.2f}"
                print(line, flush=True)


if __name__ == "__main__":
    main()
