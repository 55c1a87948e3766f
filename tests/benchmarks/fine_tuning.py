"""Measures what a short text gains from a trained model: the validation loss after a minute with and without it.

    python tests/benchmarks/fine_tuning.py tinyshakespeare.txt --model anna

Takes the first 100 kB of the text, holds out a tenth, and trains both ways, in turns, with several seeds.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--model", default="anna")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--kilobytes", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    text = options.text.read_bytes()[: 1000 * options.kilobytes]
    ways: dict[str, list[str]] = {
        "from scratch": ["--from", "none"],
        f"from {options.model}": ["--from", options.model],
    }
    losses: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("slice.txt").write_bytes(text)
        charrnn("prepare", "slice.txt", "--valid", "0.1", "--test", "0")
        for seed in range(options.seeds):
            for way, flags in ways.items():
                bound = ["--minutes", str(options.minutes), "--seed", str(seed)]
                charrnn("train", "slice", "--cpu", "--no-preview", "--restart", *bound, *flags)
                score = json.loads(charrnn("evaluate", "--model", "slice", "--split", "valid", "--cpu", "--json"))
                losses[way].append(score["loss"])
                print(f"seed {seed}, {way}: {score['loss']:.4f} nats per character", flush=True)
    for way, found in losses.items():
        print(f"{way}: median {statistics.median(found):.4f}")


if __name__ == "__main__":
    main()
