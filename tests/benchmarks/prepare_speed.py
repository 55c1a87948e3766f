"""Measures time and peak memory of `charrnn prepare` on 1 GB of ASCII and of UTF-8 text, at any level.

python tests/benchmarks/prepare_speed.py
python tests/benchmarks/prepare_speed.py anna.txt --level word --workers 1 2 --megabytes 200
python tests/benchmarks/prepare_speed.py --sparse --level byte --megabytes 5000  # a sparse file
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASCII = "It was the hour when lamps are lit, and nobody in the house had yet thought of supper; 1234567890.\r\n"
UTF8 = "Все счастливые семьи похожи друг на друга — « naïve », żółć, 日本語のテキスト, ☕ and some plain English.\n"


def write(path: Path, text: bytes, megabytes: int) -> None:
    """Writes the text over and over, or a sparse file if the text is empty."""
    with path.open("wb") as file:
        if not text:
            file.truncate(megabytes * 1_000_000)
            return
        block, written = text * (1 + 10_000_000 // len(text)), 0
        while written < megabytes * 1_000_000:
            written += file.write(block)


def measure(name: str, text: bytes, megabytes: int, level: str, workers: list[int]) -> None:
    path = Path(f"{name}.txt")
    write(path, text, megabytes)
    size = path.stat().st_size
    charrnn = [sys.executable, "-m", "charrnn_cli"]
    for processes in workers:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run(
            [*charrnn, "prepare", str(path), "--level", level, "--workers", str(processes), "--force"],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        corpus = Path("runs", name, "corpus")
        tokens = sum(json.loads((corpus / "corpus.json").read_text())["tokens"].values())
        digest = hashlib.sha256()
        for file in sorted(corpus.iterdir()):
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        print(
            f"{name}, {processes} worker(s): {size / 1e6:,.0f} MB in {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s "
            f"({size / 1e6 / processor:.0f} MB/s of processor time), "
            f"{tokens / 1e6 / seconds * 60:,.0f} million {level}s/minute, "
            f"peak memory of a process so far {after.ru_maxrss / 1000:.0f} MB, corpus {digest.hexdigest()[:8]}",
            flush=True,
        )
    path.unlink()


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("texts", nargs="*", type=Path, help="repeated until they are large enough")
parser.add_argument("--sparse", action="store_true", help="a file of zeros that takes no space on the disk")
parser.add_argument("--megabytes", type=int, default=1000)
parser.add_argument("--level", default="char")
parser.add_argument("--workers", type=int, nargs="+", default=[1])
args = parser.parse_args()
texts = {path.stem: path.read_bytes() for path in args.texts} or {"ascii": ASCII.encode(), "utf-8": UTF8.encode()}
texts = {"sparse": b""} if args.sparse else texts
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for name, text in texts.items():
        measure(name, text, args.megabytes, args.level, args.workers)
