"""Measures the loss after N minutes of training, by the commands prepare, train and evaluate.

    python tests/benchmarks/time_to_quality.py tinyshakespeare.txt --minutes 1 10 --prepare "--valid 0.1 --test 0"

Every run gets `--minutes`, `--cpu` (or `--gpu`), a seed, `--from none` unless --from names a model, and the flags in
--train. There are two scores in nats per token: "carried" is that of `charrnn evaluate`, which carries the hidden state
through the held-out text; "windows" is nanoGPT's protocol, the mean over random windows of 256 tokens that each start
with an empty state. With --folder the runs are kept, and an interrupted measurement resumes.
"""

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WINDOW, WINDOWS = 256, 2000


def charrnn(*arguments: str) -> str:
    """The output of a command; its progress is shown on stderr."""
    return subprocess.run(["charrnn", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def windows_loss(name: str, split: str) -> float:
    """The mean loss over random windows of the split, each with an empty state, in nats per token."""
    import numpy as np
    import torch

    from charrnn_cli.network.loss import cross_entropy
    from charrnn_cli.network.model import trained_model
    from charrnn_cli.runs.folders import find_run
    from charrnn_cli.runs.models import load_model
    from charrnn_cli.text.corpus import Corpus

    run, random = find_run(name), np.random.default_rng(1)
    loaded = load_model(run, None)
    model = trained_model(loaded.settings, loaded.weights, torch.device("cpu")).eval()
    ids = Corpus(run.corpus).split(split)
    starts = random.integers(0, len(ids) - WINDOW, WINDOWS)
    losses = []
    with torch.no_grad():
        for part in np.array_split(starts, math.ceil(WINDOWS / 50)):
            tokens = torch.from_numpy(np.stack([ids[start : start + WINDOW + 1] for start in part]).astype(np.int64))
            logits, _ = model(tokens[:, :-1], model.zero_state(len(part)))
            losses.append(cross_entropy(logits, tokens[:, 1:]).item())
    return statistics.fmean(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="valid")
    parser.add_argument("--prepare", default="", help="flags of charrnn prepare")
    parser.add_argument("--from", dest="origin", default="none", help="a trained model to start from")
    parser.add_argument("--train", default="", help="more flags of charrnn train")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--folder", type=Path, help="folder of the runs  [default: a temporary folder]")
    options = parser.parse_args()
    texts = [str(path.resolve()) for path in options.text]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        for minutes in options.minutes:
            scores = []
            for seed in range(options.seeds):
                name = f"{options.text[0].stem}-{minutes:g}-{seed}"
                if not Path("runs", name).exists():
                    charrnn("prepare", *texts, "--name", name, *shlex.split(options.prepare))
                flags = ["--minutes", f"{minutes:g}", f"--{options.device}", "--seed", str(seed)]
                flags += ["--from", options.origin]
                charrnn("train", name, *flags, *shlex.split(options.train))
                score = json.loads(charrnn("evaluate", "--model", name, "--split", options.split, "--cpu", "--json"))
                scores.append((score["loss"], windows_loss(name, options.split)))
                print(
                    f"{minutes:g} min, seed {seed}: {scores[-1][0]:.4f} carried, {scores[-1][1]:.4f} windows, "
                    f"{score['bits_per_character']:.4f} bits per character, perplexity {score['perplexity']:.2f}",
                    flush=True,
                )
            carried, windows = (statistics.median(column) for column in zip(*scores, strict=True))
            print(
                f"{minutes:g} min, median of {len(scores)}: {carried:.4f} carried, {windows:.4f} windows",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
