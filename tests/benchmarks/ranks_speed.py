"""Compares the speed of 2 ranks with one thread each with that of 1 process with 2 threads.

    python tests/benchmarks/ranks_speed.py TEXT --rounds 3

Both train the same network on the same streams (`--batch-size` counts the streams of all ranks), in turns. The speed is
that of the steps after the first report in the log.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPES = {
    "2 x 384, batch 16 x 64": "--hidden 384 --batch-size 16 --seq-length 64 --steps 80",
    "2 x 384, batch 64 x 64": "--hidden 384 --batch-size 64 --seq-length 64 --steps 40",
    "2 x 384, batch 128 x 100": "--hidden 384 --batch-size 128 --seq-length 100 --steps 16",
    "2 x 512, batch 64 x 100": "--hidden 512 --batch-size 64 --seq-length 100 --steps 20",
}


def tokens_per_second(launcher: list[str], threads: int, flags: list[str], batch: int) -> float:
    """The speed of a run that starts over."""
    command = [sys.executable, *launcher, "-m", "charrnn_cli", "train", "text", "--restart", "--cpu", "--no-preview"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run(
        [*command, *flags], check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    records = [json.loads(line) for line in Path("runs/text/log.jsonl").read_text().splitlines()]
    first, *_, last = [(record["step"], record["seconds"]) for record in records if record["kind"] == "report"]
    return batch * (last[0] - first[0]) / (last[1] - first[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = options.text.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare = [
            sys.executable,
            "-m",
            "charrnn_cli",
            "prepare",
            str(text),
            "--name",
            "text",
            "--valid",
            "0",
            "--test",
            "0",
        ]
        subprocess.run(prepare, check=True, stdout=subprocess.DEVNULL)
        for shape, flags in SHAPES.items():
            words = [*flags.split(), "--layers", "2", "--schedule", "constant"]
            batch = int(words[3]) * int(words[5])
            ratios = []
            for _ in range(options.rounds):
                one = tokens_per_second([], 2, words, batch)
                two = tokens_per_second(["-m", "torch.distributed.run", "--nproc-per-node", "2"], 1, words, batch)
                ratios.append(two / one)
                print(f"{shape}: 1 x 2 threads {one:,.0f} tokens/s, 2 ranks {two:,.0f}, {two / one:.2f}", flush=True)
            print(f"{shape}: median {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
