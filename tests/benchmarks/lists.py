"""Learns a short list and measures what it writes: how much is new, and how much looks pronounceable.

    python tests/benchmarks/lists.py first-names.txt --names 50 500

The file has one name a line, the most frequent first; docs/lists.md says where to get one. A model learns the first
names of it with `--documents line`, and writes names. A name is new if the model did not learn it. It looks
pronounceable if each three letters in a row, with its start and end, occur in a name of the whole file. Prints both
shares, with and without `--novel --unique`.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
WAYS = ("--temperature 1", "--novel --unique", "--novel --unique --top-p 0.7")


def charrnn(*arguments: str, may_fail: bool = False) -> str:
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "charrnn_cli", *arguments]
    return subprocess.run(command, check=not may_fail, env=environment, stdout=subprocess.PIPE, text=True).stdout


def trigrams(name: str) -> set[str]:
    marked = f"^{name.lower()}$"
    return {marked[k : k + 3] for k in range(len(marked) - 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--names", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--train", default="", help="more options of charrnn train, such as '--from english'")
    parser.add_argument("--texts", type=int, default=500)
    options = parser.parse_args()
    all_names = [line.strip() for line in options.file.read_text("utf-8").splitlines() if line.strip()]
    known_trigrams = set().union(*map(trigrams, all_names))
    os.chdir(tempfile.mkdtemp())
    for count in options.names:
        names = all_names[:count]
        random.Random(0).shuffle(names)
        Path("names.txt").write_text("\n".join(names) + "\n", "utf-8")
        charrnn("prepare", "names.txt", "--documents", "line", "--force")
        charrnn("train", "names", "--cpu", "--no-preview", "--restart", *options.train.split())
        for way in WAYS:
            asked = ("--lines", str(options.texts), "--seed", "1", *way.split())
            written = charrnn("sample", "--model", "names", *asked, may_fail=True)  # it may find fewer
            texts = [line for line in written.splitlines() if line.strip()]
            new = sum(text not in set(names) for text in texts) / len(texts)
            pronounceable = sum(trigrams(text) <= known_trigrams for text in texts) / len(texts)
            shares = f"new {new:.3f}  pronounceable {pronounceable:.3f}"
            print(f"{count} names  {way:30} {len(texts)} texts  {shares}  {', '.join(texts[:8])}", flush=True)


if __name__ == "__main__":
    main()
