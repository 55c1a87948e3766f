"""Learns a short list and measures what it writes: how much is new, and how much looks pronounceable.

    python tests/benchmarks/lists.py first-names.txt --names 50 500

The file has one name a line, the most frequent first; docs/lists.md says where to get one. A model learns the first
names of it with `--documents line`, and writes names. A name is new if the model did not learn it. It looks
pronounceable if each three letters in a row, with its start and end, occur in a name of the file; with `--larger`, also
by the names of another file. Prints the shares, with and without `--novel --unique`. To compare, it first prints how
many names of each file look pronounceable by the other names of it, and how many do with their letters shuffled.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
WAYS = ("--temperature 1", "--novel --unique", "--novel --unique --top-p 0.7")


def charrnn(*arguments: str, may_fail: bool = False) -> str:
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "charrnn_cli", *arguments]
    return subprocess.run(command, check=not may_fail, env=environment, stdout=subprocess.PIPE, text=True).stdout


def lines(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]


def trigrams(name: str) -> set[str]:
    marked = f"^{name.lower()}$"
    return {marked[k : k + 3] for k in range(len(marked) - 2)}


def pronounceable(names: list[str], seen: Counter[str], least: int = 1) -> float:
    """The share of the names all of whose trigrams occur in at least that many names of a list."""
    return sum(all(seen[trigram] >= least for trigram in trigrams(name)) for name in names) / len(names)


def shuffled(name: str, order: random.Random) -> str:
    return "".join(order.sample(name.lower(), len(name))).capitalize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--names", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--train", default="", help="more options of charrnn train, such as '--from english'")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--larger", type=Path, nargs="*", default=[], help="more files for the test")
    options = parser.parse_args()
    all_names = lines(options.file)
    lists = [set(lines(file)) for file in (options.file, *options.larger)]
    seen = [Counter(trigram for name in one for trigram in trigrams(name)) for one in lists]
    order = random.Random(0)
    for one, counts in zip(lists, seen, strict=True):
        real, mixed = sorted(one), [shuffled(name, order) for name in sorted(one)]
        print(f"pronounceable of {len(one)} names {pronounceable(real, counts, least=2):.3f}", end="  ")
        print(f"shuffled {pronounceable(mixed, counts):.3f}", flush=True)
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
            looking = "  ".join(f"{pronounceable(texts, counts):.3f}" for counts in seen)
            shares = f"new {new:.3f}  pronounceable {looking}"
            print(f"{count} names  {way:30} {len(texts)} texts  {shares}  {', '.join(texts[:8])}", flush=True)


if __name__ == "__main__":
    main()
