"""Checks and measures charrnn on a GPU, and prints a report that can be added to a bug report.

    python tests/benchmarks/gpu.py --text tinyshakespeare.txt

It takes less than 30 minutes. Each section is a process of its own, so that one that fails does not disturb the others;
--sections runs some of them. Without a GPU, --cpu tries every section in small, to test this program itself.
"""

import argparse
import json
import os
import platform
import random
import re
import statistics
import string
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parents[2]
SECTION_SECONDS = 600
ALPHABET = (string.ascii_letters + string.digits + string.punctuation)[:82] + "\n"  # 83, as in Anna Karenina
NEEDS_CUDA = "skipped: needs CUDA"
FIRST_STEP, LAST_STEP = 20, 70  # of those that are watched: after the warm-up, without a report


class CommandError(Exception):
    """A command that failed, with what it said."""


@dataclass(frozen=True)
class Bench:
    """Where and how large the sections are."""

    cpu: bool
    text: Path | None

    @property
    def flag(self) -> str:
        return "--cpu" if self.cpu else "--gpu"

    @property
    def device(self) -> Any:
        import torch

        return torch.device("cpu" if self.cpu else "cuda")

    @property
    def place(self) -> dict[str, bool]:
        return {"cpu": self.cpu, "gpu": not self.cpu}

    @property
    def tiny(self) -> dict[str, int]:
        """Settings that make a run small on a CPU."""
        return {"hidden": 32, "batch_size": 4, "seq_length": 10} if self.cpu else {}

    @property
    def small(self) -> list[str]:
        """The same as flags, with another batch."""
        return ["--hidden", "32", "--seq-length", "10"] if self.cpu else []

    def prepared(self, name: str, *flags: str) -> str:
        """Prepares a run once. Without --text it has random characters. Returns its name."""
        if not Path("runs", name).exists():
            text = self.text or Path("random.txt")
            if not text.exists():
                chosen = random.Random(0).choices(ALPHABET, k=200_000 if self.cpu else 3_000_000)
                text.write_text(ALPHABET + "".join(chosen))
            charrnn("prepare", str(text), "--name", name, *flags)
        return name

    def random_run(self) -> str:
        """A run of random characters without held-out text, whose vocabulary is that of Anna Karenina."""
        return replace(self, text=None).prepared("random", "--valid", "0", "--test", "0")


def charrnn(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "charrnn_cli", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise CommandError(f"charrnn {' '.join(arguments)}: {result.stderr.strip() or result.returncode}")
    return result


def log_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("runs", name, "log.jsonl").read_text().splitlines()]


def versions(bench: Bench) -> None:
    """Versions and chip."""
    import numpy
    import torch

    print(f"charrnn {version('charrnn-cli')}, PyTorch {torch.__version__}, NumPy {numpy.__version__}")
    print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    if bench.cpu:
        print(f"GPU, CUDA and cuDNN: {NEEDS_CUDA}")
        return
    chip = torch.cuda.get_device_properties(0)
    print(f"{chip.name}, compute capability {chip.major}.{chip.minor}, {chip.total_memory / 1e9:.1f} GB")
    print(f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, GPUs {torch.cuda.device_count()}")
    query = ["nvidia-smi", "--query-gpu=driver_version,power.limit,clocks.max.sm,utilization.gpu", "--format=csv"]
    print(subprocess.run(query, capture_output=True, text=True).stdout.strip())


def suite(bench: Bench) -> None:
    """The tests of the suite that need a GPU."""
    import pytest

    class GpuTests:
        def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
            reasons = {item: [mark.kwargs.get("reason", "") for mark in item.iter_markers("skipif")] for item in items}
            chosen = [item for item in items if any("GPU" in reason for reason in reasons[item])]
            config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
            items[:] = chosen

    os.chdir(ROOT)
    code = pytest.main(["tests", "-n", "0", "-q", "-p", "no:cacheprovider"], plugins=[GpuTests()])
    if code != pytest.ExitCode.OK:
        raise CommandError(f"pytest ended with {code!r}")


@contextmanager
def watched_steps(start: Callable[[], object], stop: Callable[[], object]) -> Iterator[None]:
    """Calls `start` after FIRST_STEP steps of training in this process, and `stop` after LAST_STEP; no step reports."""
    from charrnn_cli.training import pace
    from charrnn_cli.training.bookkeeping import Bookkeeping

    original, report_seconds = Bookkeeping.advance, pace.REPORT_SECONDS

    def advance(self: Any) -> None:
        original(self)
        {FIRST_STEP: start, LAST_STEP: stop}.get(self._state.counters.step, lambda: None)()

    Bookkeeping.advance, pace.REPORT_SECONDS = advance, float("inf")  # type: ignore[method-assign]
    try:
        yield
    finally:
        Bookkeeping.advance, pace.REPORT_SECONDS = original, report_seconds  # type: ignore[method-assign]


def train_here(bench: Bench, name: str, **settings: Any) -> None:
    """Trains in this process, for a few steps more than are watched."""
    from charrnn_cli.runs.folders import find_run
    from charrnn_cli.training.trainer import train

    list(train(find_run(name), restart=True, steps=LAST_STEP + 2, **bench.place, **(settings | bench.tiny)))


def synchronizations(bench: Bench) -> None:
    """Operations that make the CPU wait for the GPU, between two reports: there should be none."""
    import torch

    def watch(mode: str) -> Callable[[], None]:
        return lambda: None if bench.cpu else torch.cuda.set_sync_debug_mode(mode)

    name = bench.random_run()
    for title, settings in {
        "preset anna": {"preset": "anna"},
        "auto": {},
        "rmsprop": {"preset": "anna", "optimizer": "rmsprop"},
        "weight drop": {"preset": "anna", "weight_drop": 0.5},
    }.items():
        with warnings.catch_warnings(record=True) as caught, watched_steps(watch("warn"), watch("default")):
            warnings.simplefilter("always")
            train_here(bench, name, **settings)
        waits = [warning for warning in caught if "synchronizing" in str(warning.message)]
        per_step = len(waits) / (LAST_STEP - FIRST_STEP)
        print(f"{title}: {NEEDS_CUDA if bench.cpu else f'{per_step:.2f} per step'}")
        for place, count in Counter(f"{one.filename}:{one.lineno}" for one in waits).most_common(5):
            print(f"  {count} at {place}")


def throughput(bench: Bench) -> None:
    """The speed of `train` beside a bare nn.LSTM loop of the same shape, in every number format."""
    from bare_lstm import Shape

    name = bench.random_run()
    for batch in (4, 8) if bench.cpu else (100, 104, 128, 256, 512):
        shape = Shape(hidden=32, tokens=10, batch=batch) if bench.cpu else Shape(batch=batch)
        print(f"preset anna, 2 x {shape.hidden}, batch {batch} x {shape.tokens}", flush=True)
        compare_speeds(bench, name, shape, ["--preset", "anna", "--batch-size", str(batch), *bench.small])
    charrnn("train", name, bench.flag, "--restart", "--no-preview", "--from", "none", "--minutes", minutes(bench))
    config = json.loads(Path("runs", name, "config.json").read_text())
    model, training = config["model"], config["training"]
    print(f"auto: 2 x {model['hidden']}, batch {training['batch_size']} x {training['seq_length']}", flush=True)
    sizes = {"hidden": model["hidden"], "embedding": model["embedding"], "dropout": model["dropout"]}
    shape = Shape(**sizes, batch=training["batch_size"], tokens=training["seq_length"])
    compare_speeds(bench, name, shape, [])


def minutes(bench: Bench) -> str:
    return "0.05" if bench.cpu else "0.1"


def compare_speeds(bench: Bench, name: str, shape: Any, flags: list[str]) -> None:
    """A line for each number format."""
    from bare_lstm import FORMATS

    from charrnn_cli.config import Precision

    for number_format in FORMATS:
        if bench.cpu and number_format != "float32":
            print(f"  {number_format}: {NEEDS_CUDA}")
            continue
        parts, bare = [], bare_speed(bench, shape, number_format, graph=False)
        if number_format in get_args(Precision):
            try:
                ours = charrnn_speed(bench, name, [*flags, "--precision", number_format])
                parts.append(f"charrnn {ours:,.0f} tokens/s, ratio {ours / bare:.2f}")
            except CommandError as error:
                parts.append(f"charrnn refuses: {str(error).splitlines()[-1]}")
        parts.append(f"bare nn.LSTM {bare:,.0f}")
        try:
            graph = NEEDS_CUDA if bench.cpu else f"{bare_speed(bench, shape, number_format, graph=True):,.0f}"
        except RuntimeError as error:
            graph = f"failed: {str(error).splitlines()[0]}"
        print(f"  {number_format}: {', '.join(parts)}, as a CUDA graph {graph}", flush=True)


def bare_speed(bench: Bench, shape: Any, number_format: str, graph: bool) -> float:
    from bare_lstm import tokens_per_second

    return tokens_per_second(shape, number_format, bench.device, graph, seconds=0.2 if bench.cpu else 4.0)


def charrnn_speed(bench: Bench, name: str, flags: list[str]) -> float:
    """Tokens per second, the median of the reports after the first."""
    charrnn("train", name, bench.flag, "--restart", "--no-preview", *flags, "--minutes", minutes(bench))
    speeds = [record["tokens_per_second"] for record in log_of(name) if record["kind"] == "report"]
    return statistics.median(speeds[1:] or speeds)


def losses(bench: Bench) -> None:
    """The validation losses of training by GPU and CPU, from the same seed in float32: equal to 1e-3."""
    size = ["--dropout", "0", "--hidden", "128", "--batch-size", "16", "--seq-length", "50"]
    flags = [*size, "--precision", "float32", "--steps", "100", "--seed", "1"]
    found = []
    for flag in (bench.flag, "--cpu"):
        name = bench.prepared("losses", "--valid", "0.02", "--test", "0")
        charrnn("train", name, flag, "--restart", "--no-preview", *flags)
        found.append([record["valid_loss"] for record in log_of(name) if record["kind"] == "validation"])
    difference = max(abs(one - other) for one, other in zip(*found, strict=True))
    print(f"{len(found[0])} validations, the last {found[0][-1]:.5f} and {found[1][-1]:.5f}")
    print(f"largest difference {difference:.1e}: {verdict(difference <= 1e-3)}")


def repeatability(bench: Bench) -> None:
    """Two equal runs, and one that was stopped and resumed, compared bit for bit."""
    from charrnn_cli.runs.folders import find_run
    from charrnn_cli.runs.weights import load_tensors

    name = bench.random_run()
    half, whole = ("15", "30") if bench.cpu else ("100", "200")
    for title, drop in {"preset anna": "0", "weight drop": "0.5"}.items():
        weights = []
        for limits in ([whole], [whole], [half, whole]):
            more = ["--restart", "--preset", "anna", "--weight-drop", drop, *bench.small]
            for limit in limits:
                charrnn("train", name, bench.flag, "--no-preview", *more, "--steps", limit)
                more = []
            weights.append({key: array.tobytes() for key, array in load_tensors(find_run(name).weights).items()})
        print(f"{title}: an equal run {same(weights[0], weights[1])}, a resumed run {same(weights[0], weights[2])}")


def same(one: object, other: object) -> str:
    return "has the same bits" if one == other else "DIFFERS"


def memory(bench: Bench) -> None:
    """The memory that training uses, and the memory that `train` predicts."""
    import torch

    from charrnn_cli.runs.folders import find_run
    from charrnn_cli.terminal.reports import describe_start
    from charrnn_cli.training.trainer import train

    name = bench.random_run()
    for title, settings in {
        "preset anna": {"preset": "anna"},
        "batch 512": {"preset": "anna", "batch_size": 512},
        "2 x 1500": {"preset": "anna", "hidden": 1500, "batch_size": 20, "seq_length": 35},
        "auto": {},
    }.items():
        if not bench.cpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        started, *_ = train(find_run(name), restart=True, steps=20, **bench.place, **(settings | bench.tiny))
        predicted = re.search(r"about ([\d.]+) GB", describe_start(started))
        used = NEEDS_CUDA
        if not bench.cpu:
            allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
            used = f"{allocated / 1e9:.2f} GB, reserved {reserved / 1e9:.2f} GB"
        print(f"{title}: predicted {predicted[1] if predicted else '?'} GB, used {used}")


def evaluate(bench: Bench) -> None:
    """The scores of the bundled model by GPU and CPU: equal to 1e-4."""
    text = Path("scored.txt")
    text.write_text("All happy families are alike; every unhappy family is unhappy in its own way.\n" * 300)
    found = []
    for flag in (bench.flag, "--cpu"):
        started = time.perf_counter()
        printed = charrnn("evaluate", "--model", "anna", str(text), flag, "--json").stdout
        found.append(json.loads(printed)["loss"])
        print(f"{flag}: {found[-1]:.6f} nats per character, {time.perf_counter() - started:.1f} s with the start")
    difference = abs(found[0] - found[1])
    print(f"difference {difference:.1e}: {verdict(difference <= 1e-4)}")


def sampling(bench: Bench) -> None:
    """Characters per second of `sample`, from the times of two lengths, so that the start does not count."""
    lengths = {1: (20, 120), 16: (20, 120)} if bench.cpu else {1: (500, 5500), 64: (500, 5500), 4096: (500, 3000)}
    for texts, pair in lengths.items():
        times = []
        for length in pair:
            flags = ["--num", str(texts), "--length", str(length), "--seed", "1", "--output", "texts.txt", "--force"]
            engine = ["--engine", "torch"] if bench.cpu else ["--gpu"]
            started = time.perf_counter()
            charrnn("sample", "--model", "anna", *flags, *engine)
            times.append(time.perf_counter() - started)
        speed = texts * (pair[1] - pair[0]) / max(times[1] - times[0], 1e-3)
        print(f"{texts:,} texts: {speed:,.0f} characters/s", flush=True)


def auto_minute(bench: Bench) -> None:
    """The loss on the last 10 % of a text after one minute of auto."""
    if bench.text is None:
        print("skipped: pass --text tinyshakespeare.txt")
        return
    name = bench.prepared("minute", "--valid", "0.1", "--test", "0")
    flags = ["--restart", "--no-preview", "--from", "none", "--minutes", "0.1" if bench.cpu else "1"]
    train = charrnn("train", name, bench.flag, *flags)
    print("\n".join(line for line in train.stderr.splitlines()[:4]))
    printed = json.loads(charrnn("evaluate", "--model", name, "--split", "valid", "--json", bench.flag).stdout)
    print(f"{printed['loss']:.4f} nats per character")


def kernels(bench: Bench) -> None:
    """Which kernels ran: cuDNN's persistent ones have "persist" in their names."""
    import torch

    name = bench.random_run()
    activities = [torch.profiler.ProfilerActivity.CPU if bench.cpu else torch.profiler.ProfilerActivity.CUDA]
    for title, settings in {"preset anna, batch 128": {"preset": "anna", "batch_size": 128}, "auto": {}}.items():
        profiler = torch.profiler.profile(activities=activities)
        with watched_steps(profiler.start, profiler.stop):
            train_here(bench, name, **settings)
        times = {
            one.key: (one.self_cpu_time_total if bench.cpu else one.self_device_time_total, one.count)
            for one in profiler.key_averages()
        }
        times = {key: (spent, count) for key, (spent, count) in times.items() if spent > 0}
        total = sum(spent for spent, _ in times.values())
        steps = LAST_STEP - FIRST_STEP
        started = sum(count for _, count in times.values())
        print(f"{title}: {total / steps / 1000:.2f} ms per step in {started / steps:.0f} kernels")
        for key, (spent, count) in sorted(times.items(), key=lambda item: -item[1][0])[:8]:
            print(f"  {spent / total:4.0%} {count / steps:6.1f} per step  {key[:100]}")
        print(f"  persistent kernels: {NEEDS_CUDA if bench.cpu else verdict(any('persist' in key for key in times))}")


def verdict(right: bool) -> str:
    return "yes" if right else "NO"


SECTIONS: dict[str, Callable[[Bench], None]] = {
    section.__name__: section
    for section in (
        *(versions, suite, synchronizations, throughput, losses, repeatability),
        *(memory, evaluate, sampling, auto_minute, kernels),
    )
}


def run_section(name: str, options: argparse.Namespace, folder: str) -> bool:
    """Runs a section in a process of its own. Returns whether it succeeded."""
    command = [sys.executable, str(Path(__file__).resolve()), "--here", "--sections", name]
    command += ["--cpu"] if options.cpu else []
    command += ["--text", str(options.text.resolve())] if options.text else []
    print(f"\n## {name}: {SECTIONS[name].__doc__}", flush=True)
    started = time.perf_counter()
    try:
        code = subprocess.run(command, cwd=folder, timeout=SECTION_SECONDS).returncode
    except subprocess.TimeoutExpired:
        code = f"more than {SECTION_SECONDS} s"
    print(f"({'FAILED: ' + str(code) if code else 'done'}, {time.perf_counter() - started:.0f} s)", flush=True)
    return not code


def gpu_found() -> bool:
    """Says if there is none."""
    import torch

    if found := torch.cuda.is_available():
        return found
    print(f"no CUDA GPU: PyTorch {torch.__version__} finds none. --cpu tries the sections without.", file=sys.stderr)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a text, such as tinyshakespeare.txt  [default: random characters]")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--cpu", action="store_true", help="try every section in small, without a GPU")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.cpu and not gpu_found():
        return 2
    if options.here:
        try:
            for name in options.sections:
                SECTIONS[name](Bench(options.cpu, options.text))
        except CommandError as error:
            print(error)
            return 1
        return 0
    with tempfile.TemporaryDirectory() as folder:
        succeeded = [run_section(name, options, folder) for name in options.sections]
    print(f"\n{sum(succeeded)} of {len(succeeded)} sections ran to their end.")
    return 0 if all(succeeded) else 1


if __name__ == "__main__":
    sys.exit(main())
