"""Trains with several ranks while reports, validations, checkpoints and Ctrl-C fall on the same and neighboring steps.

    python tests/benchmarks/ranks_faults.py --ranks 2
    python tests/benchmarks/ranks_faults.py --ranks 4 --every 1 3

Each case has its own intervals of reports, validations and checkpoints. The run is trained once without a stop. Then it
is trained once for each event that it reported, with a Ctrl-C right after that event on the first or the last rank, and
resumed to its end. A case fails if a rank raises an error, if an event is missing, or if the weights are not those of
the run without a stop. The processes start once and train all cases.
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STEPS = 6
ROUNDING = 1e-4  # Adam turns the last bits of a small gradient into more
TEXT = "The quick brown fox jumps over the lazy dog.\n" * 40
SMALL = {"cpu": True, "hidden": 8, "layers": 1, "batch_size": 4, "seq_length": 8, "steps": STEPS, "threads": 1}
Case = tuple[int, int, int]  # steps between two reports, validations and checkpoints


def set_pace(report: int, validate: int) -> None:
    """Makes reports and validations depend on the steps only."""
    from charrnn_cli.training.pace import Pace

    def report_due(pace: Pace, finished: bool) -> bool:
        return finished or pace.counters.step % report == 0

    def validation_due(pace: Pace, finished: bool) -> bool:
        counters = pace.counters
        return counters.step != counters.valid_step and (finished or counters.step % validate == 0)

    Pace.report_due, Pace.validation_due = report_due, validation_due  # type: ignore[method-assign]


def train_once(ports: Iterator[int], stop_at: int | None = None, **settings: Any) -> list[Any]:
    """The events of a training on this rank, with Ctrl-C after the event of this number."""
    from charrnn_cli.training.trainer import train

    os.environ["MASTER_PORT"] = str(next(ports))
    events = []
    for event in itertools.islice(train("text", **SMALL | settings), 1, None):
        events.append(event)
        if len(events) == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
    return events


def final_weights() -> dict[str, Any]:
    from charrnn_cli.runs.checkpoints import checkpoints
    from charrnn_cli.runs.folders import run_named
    from charrnn_cli.runs.weights import load_tensors

    return dict(load_tensors(checkpoints(run_named("text"))[-1].weights))


def difference(size: int, expected: dict[str, Any]) -> float:
    """The largest difference of the final weights from those expected; 0 if it is rounding.

    DistributedDataParallel sums other groups of gradients together in the first step after a start. Sums of more than
    two numbers then differ in the last bits.
    """
    found = final_weights()
    largest = max(float(abs(found[name] - expected[name]).max()) for name in expected)
    return 0.0 if size > 2 and largest < ROUNDING else largest


def check_case(case: Case, rank: int, size: int, ports: Iterator[int]) -> int:
    """Trains a case without and with Ctrl-C. Returns the number of trainings with a stop. Raises AssertionError."""
    report, validate, checkpoint = case
    set_pace(report, validate)
    whole = train_once(ports, restart=True, checkpoint_every=checkpoint)
    kinds = [(type(event).__name__, event.step) for event in whole]
    for name, every in (("Report", report), ("Validation", validate), ("Saved", checkpoint)):
        due = {step for step in range(1, STEPS + 1) if step % every == 0}
        missing = due - {step for kind, step in kinds if kind == name}
        assert not missing, f"no {name} at the steps {sorted(missing)}"
    weights = final_weights()
    stops = list(itertools.product(range(1, len(whole)), {0, size - 1}))
    for number, stopping in stops:
        stop_at = number if rank == stopping else None
        stopped = train_once(ports, stop_at, restart=True, checkpoint_every=checkpoint)
        resumed = train_once(ports)
        assert stopped[-1].step <= resumed[-1].step == STEPS, f"ends at step {resumed[-1].step}"
        assert resumed[-1].finished, f"Ctrl-C after {kinds[number - 1]} on rank {stopping}: not finished"
        off = difference(size, weights)
        assert off == 0, f"Ctrl-C after {kinds[number - 1]} on rank {stopping}: weights differ by {off:.1g}"
    return len(stops)


def work(rank: int, size: int, cases: list[Case], first_port: int) -> None:
    """One rank."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1"}
    ports = itertools.count(first_port)
    for case in cases:
        try:
            stops = check_case(case, rank, size, ports)
        except BaseException:
            traceback.print_exc()
            print(f"rank {rank}: report, validation, checkpoint every {case} steps: FAILED", flush=True)
            os._exit(1)
        if rank == 0:
            print(f"{size} ranks, every {case} steps: {stops} stops, all resumed to the same weights", flush=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--every", type=int, nargs="+", default=[1, 2, 3], help="intervals to combine, in steps")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank is not None:
        work(options.rank, options.ranks, list(itertools.product(options.every, repeat=3)), options.port)
    port = 20_000 + os.getpid() % 10_000  # and those after it: below the ports that the system gives out
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "text.txt").write_text(TEXT)
        prepare = [sys.executable, "-m", "charrnn_cli", "prepare", "text.txt", "--valid", "0.1", "--test", "0"]
        subprocess.run(prepare, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        flags = ["--ranks", str(options.ranks), "--every", *map(str, options.every), "--port", str(port)]
        ranks = [
            subprocess.Popen([sys.executable, __file__, *flags, "--rank", str(rank)], cwd=folder)
            for rank in range(options.ranks)
        ]
        codes = [rank.wait() for rank in ranks]
    print(f"exit codes: {codes}")
    sys.exit(max(map(abs, codes)))


if __name__ == "__main__":
    main()
