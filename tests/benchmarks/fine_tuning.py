"""Measures what a short text gains from a trained model: the held-out loss with and without it.

    python tests/benchmarks/fine_tuning.py tinyshakespeare.txt --model english
    python tests/benchmarks/fine_tuning.py tinyshakespeare.txt --model english --only --train "--steps 207 --threads 1"

Takes the first 100 kB of the text, holds out a tenth, and trains both ways, in turns, with several seeds. The
checkpoint and the softmax temperature are chosen on the first half of that tenth; nothing is chosen on the second half.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def charrnn(*arguments: str) -> str:
    """The output of a command."""
    command = [sys.executable, "-m", "charrnn_cli", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def loss(split: str) -> float:
    found = json.loads(charrnn("evaluate", "--model", "slice", "--split", split, "--cpu", "--json"))
    return float(found["loss"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--model", default="anna")
    parser.add_argument("--only", action="store_true", help="train from the model only, not from scratch")
    parser.add_argument("--train", default="--minutes 1", help="options of charrnn train, such as '--steps 207'")
    parser.add_argument("--kilobytes", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    text = options.text.read_bytes()[: 1000 * options.kilobytes]
    ways = {f"from {options.model}": options.model} | ({} if options.only else {"from scratch": "none"})
    losses: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("slice.txt").write_bytes(text)
        charrnn("prepare", "slice.txt", "--valid", "0.05", "--test", "0.05")
        for seed in range(options.seeds):
            for way, origin in ways.items():
                asked = ("--from", origin, "--seed", str(seed), *options.train.split())
                charrnn("train", "slice", "--cpu", "--no-preview", "--restart", *asked)
                first, second = loss("valid"), loss("test")
                losses[way].append((first + second) / 2)
                print(f"seed {seed}, {way}: {first:.4f}, {second:.4f}, mean {losses[way][-1]:.4f}", flush=True)
    for way, found in losses.items():
        print(f"{way}: median {statistics.median(found):.4f} nats per character")


if __name__ == "__main__":
    main()
