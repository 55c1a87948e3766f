"""Kills `charrnn train` and `charrnn prepare` with SIGKILL at random moments, checks the files, and resumes.

After each kill of `train`, every file of the run must be intact, and `sample` and `info` must be able to read it. At
the end no temporary file may be left, and weights, state and log must be those of a run that was never interrupted.
After each kill of `prepare --force`, there must be the old run or the new one, not a mixture. After each kill of
`export --force`, the model must be whole and the other files of its folder must be there. Nothing may be left in the
temporary folder, or beside the file of `sample --output`. Exits with 1 at the first failure.

    python tests/benchmarks/kills.py --kills 200
"""

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch  # imported before any process is forked; nothing is computed here

from charrnn_cli.cli import main
from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.generation.reading import read_tokens
from charrnn_cli.generation.texts import write_texts
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.describe import describe
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.verify import verify
from charrnn_cli.runs.weights import load_tensors
from charrnn_cli.text.corpus import Corpus

TEXTS = ("The quick brown fox jumps over the lazy dog.\n" * 60, "Pack my box with five dozen liquor jugs!\n" * 90)
SMALL = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16", "--no-preview"]
STEPS = 240
TIMES = ("seconds", "seconds_per_batch", "tokens_per_second", "save_seconds", "seconds_left")


def start(*arguments: str, before: Callable[[], object] = int, after: Callable[[], object] = int) -> int:
    """Forks a process that runs a command without output, between two functions. Returns its process id."""
    if process := os.fork():
        return process
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    sys.argv = ["charrnn", *arguments]
    code = 1
    try:
        before()
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 99
    finally:
        after()
        os._exit(code)


def run_for(seconds: float | None, *arguments: str) -> bool:
    """Runs a command and kills it after some time. Returns whether it had finished with success."""
    process, ends = start(*arguments), None if seconds is None else time.perf_counter() + seconds
    while True:
        done, status = os.waitpid(process, 0 if ends is None else os.WNOHANG)
        if done:
            if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
                fail(f"charrnn {' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
            return os.waitstatus_to_exitcode(status) == 0
        if ends is not None and time.perf_counter() >= ends:
            os.kill(process, signal.SIGKILL)
            ends = None
        time.sleep(0.0005)


def fail(message: str) -> None:
    print(f"FAILURE: {message}", flush=True)
    sys.exit(1)


def look(run: Run) -> None:
    """Checks what must be true of a run after every kill."""
    for found in verify(run, load_checked_model):
        if found.problem:
            fail(found.problem)
    describe(run)
    if run.trained:
        model = load_checked_model(run)
        engine = load_engine(model, "numpy")
        prime = read_tokens(engine, model.vocabulary, [0])
        events = write_texts(engine, model.vocabulary, prime, SamplingSettings(length=3), 0)
        if not list(events):
            fail("the model writes nothing")


def result(run: Run) -> tuple[object, ...]:
    """The result of a run, without times and reports, which depend on the time."""
    last = checkpoints(run)[-1]
    numbers = json.loads((last.folder / "training.json").read_text())
    arrays = {**load_tensors(last.weights), **load_tensors(last.folder / "training.safetensors")}
    records = [
        {key: value for key, value in record.items() if key not in TIMES}
        for record in read_log(run.log)
        if record["kind"] == "validation"
    ]
    for name in ("seconds", "loss_steps", "train_loss"):
        numbers.pop(name)
    arrays.pop("loss_sum")
    return {name: array.tobytes() for name, array in arrays.items()}, numbers, records


def unfinished() -> list[str]:
    endings = (".tmp", ".replaced", ".lock")
    places = (Path("runs").rglob(".*"), Path().glob(".*"), Path(tempfile.gettempdir()).glob("charrnn-*"))
    return [str(path) for place in places for path in place if path.suffix in endings or path.suffix == ""]


def kill_training(kills: int, chance: random.Random) -> None:
    for name in ("whole", "killed"):
        Path(f"{name}.txt").write_text(TEXTS[0])
        run_for(None, "prepare", f"{name}.txt")
    train = ["train", "--steps", str(STEPS), "--checkpoint-every", "2", *SMALL]
    started = time.perf_counter()
    run_for(None, train[0], "whole", *train[1:])
    takes, sittings, made, finished, steps = time.perf_counter() - started, 1, 0, False, []
    run = Run(Path("runs/killed"))
    while made < kills:
        if finished:  # start another training
            if result(run) != result(Run(Path("runs/whole"))):
                fail("a run that was killed and resumed differs from one that was not")
            shutil.rmtree(run.folder)
            run_for(None, "prepare", "killed.txt")
            sittings, finished = sittings + 1, False
        finished = run_for(chance.uniform(0, takes / 8), train[0], "killed", *train[1:])
        made += not finished
        steps.append(checkpoints(run)[-1].step if checkpoints(run) else 0)
        look(run)
    run_for(None, train[0], "killed", *train[1:])
    look(run)
    if result(run) != result(Run(Path("runs/whole"))):
        fail("a run that was killed and resumed differs from one that was not")
    if left := unfinished():
        fail(f"temporary files were left: {', '.join(left)}")
    print(
        f"train: killed {made} times in {sittings} run(s) of {STEPS} steps and {STEPS // 2} saves; 0 failures",
        flush=True,
    )


def kill_preparing(kills: int, chance: random.Random) -> None:
    for number, text in enumerate(TEXTS):
        Path(f"text{number}.txt").write_text(text * 40)
    known, takes = {}, 0.0
    for number in range(2):
        started = time.perf_counter()
        run_for(None, "prepare", f"text{number}.txt", "--name", "novel", "--force")
        takes = time.perf_counter() - started
        known[Corpus(Run(Path("runs/novel")).corpus).info.sha256] = number
    seen = set()
    for kill in range(kills):
        run_for(chance.uniform(0, 1.2 * takes), "prepare", f"text{kill % 2}.txt", "--name", "novel", "--force")
        run_for(None, "models")  # any command completes a rename that a kill interrupted
        run = Run(Path("runs/novel"))
        look(run)
        seen.add(known[Corpus(run.corpus).info.sha256])
    run_for(None, "prepare", "text0.txt", "--name", "novel", "--force")
    if left := unfinished():
        fail(f"temporary files were left: {', '.join(left)}")
    print(f"prepare: killed {kills} times; 0 failures; runs seen afterwards: {len(seen)}", flush=True)


def kill_exporting(kills: int, chance: random.Random) -> None:
    """Kills `export --force` and `sample --output` of the run that `kill_training` made."""
    export, kept = ("export", "whole", "kept", "--force"), Path("kept")
    run_for(None, *export)
    Path("kept/README.md").write_text("mine")
    Path("kept/link").symlink_to("README.md")
    started = time.perf_counter()
    run_for(None, *export)
    takes = time.perf_counter() - started
    sample = ("sample", "--model", "kept", "--prime-file", "text.txt.gz", "--output", "new.txt", "--force")
    Path("text.txt.gz").write_bytes(gzip.compress(TEXTS[0].encode()))
    for kill in range(kills):
        run_for(chance.uniform(0, 1.2 * takes), *(export if kill % 2 else sample))
        run_for(None, "info", "kept")  # any command completes a rename that a kill interrupted
        look(Run(kept))
        if Path("kept/README.md").read_text() != "mine" or str(Path("kept/link").readlink()) != "README.md":
            fail("an export that was killed lost files")
    run_for(None, *export)
    run_for(None, *sample)
    if left := unfinished():
        fail(f"temporary files were left: {', '.join(left)}")
    print(f"export and sample: killed {kills} times; 0 failures", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        tempfile.tempdir = folder
        kill_training(args.kills, random.Random(args.seed))
        kill_preparing(args.kills, random.Random(args.seed))
        kill_exporting(args.kills, random.Random(args.seed))
