"""Makes every write of `charrnn train` and `charrnn prepare` fail in turn, as on a full disk, then resumes.

Every change of a file counts: opening it for writing, each write, flush, rename, link, new folder. In trial k the k-th
change and all later ones fail. The command must end with a message and exit code 1, every file of the run must be
intact, and a resumed run must end with the same result. Exits with 1 at the first failure.

    python tests/benchmarks/faults.py
"""

import argparse
import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from kills import SMALL, TEXTS, fail, look, result, run_for, start, unfinished

from charrnn_cli.runs.folders import Run
from charrnn_cli.text.corpus import Corpus

TRAIN = ["--steps", "14", "--checkpoint-every", "4", "--keep", "1", *SMALL]


class Disk:
    """Counts changes of files, and fails from the k-th on."""

    def __init__(self, full_at: int, count_file: Path) -> None:
        self.count, self.full_at, self.count_file = 0, full_at, count_file

    def change(self) -> None:
        self.count += 1
        if self.count >= self.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def failing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.change()
            return function(*arguments, **named)

        return call

    def opened(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if mode.startswith("r"):
                return function(path, mode, *arguments, **named)
            self.change()
            return File(function(path, mode, *arguments, **named), self)

        return call

    def opened_by_system(self, function: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
            if flags & os.O_CREAT:  # the file of a lock
                self.change()
            return function(path, flags, *arguments, **named)

        return call

    def fill(self) -> None:
        """Replaces the functions that change files, in this process."""
        Path.open = self.opened(Path.open)  # type: ignore[method-assign]
        for name in ("replace", "rename", "mkdir", "symlink_to"):
            setattr(Path, name, self.failing(getattr(Path, name)))
        os.link, os.fsync = self.failing(os.link), self.failing(os.fsync)
        os.open = self.opened_by_system(os.open)
        shutil.copyfile = self.failing(shutil.copyfile)


class File:
    """An open file whose writes may fail."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: Any) -> int:
        self._disk.change()
        written: int = self._file.write(data)
        return written

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def trial(full_at: int, *arguments: str) -> tuple[int, int, str]:
    """Runs a command on a disk that gets full. Returns its exit code, the number of changes, and its messages."""
    process, said, counted = None, Path("said.txt"), Path("counted.txt")

    def before() -> None:
        disk = Disk(full_at, counted)
        quiet = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(quiet, 2)
        disk.fill()
        trial.disk = disk  # type: ignore[attr-defined]

    def after() -> None:
        disk = trial.disk  # type: ignore[attr-defined]
        disk.full_at, count = 1 << 60, disk.count
        counted.write_text(str(count))

    process = start(*arguments, before=before, after=after)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), int(counted.read_text()), said.read_text()


def check(code: int, said: str, full_at: int, command: str) -> None:
    if code != 1 or "Traceback" in said or "charrnn: " not in said:
        fail(f"{command} with a disk full at change {full_at} ended with {code} and said: {said}")


def fault_training(every: int) -> None:
    for name in ("whole", "faulty"):
        Path(f"{name}.txt").write_text(TEXTS[0])
        run_for(None, "prepare", f"{name}.txt")
    code, changes, said = trial(1 << 60, "train", "whole", *TRAIN)
    if code != 0:
        fail(said)
    run, whole = Run(Path("runs/faulty")), result(Run(Path("runs/whole")))
    trials = range(1, changes + 1, every)
    for full_at in trials:
        code, _, said = trial(full_at, "train", "faulty", *TRAIN)
        check(code, said, full_at, "train")
        look(run)
        run_for(None, "train", "faulty", *TRAIN)
        if result(run) != whole:
            fail(f"a run whose disk was full at change {full_at} ends with a different result")
        if left := unfinished():
            fail(f"temporary files were left: {', '.join(left)}")
        shutil.rmtree(run.folder)
        run_for(None, "prepare", "faulty.txt")
    print(f"train: {len(trials)} of {changes} changes of files failed in turn; 0 failures", flush=True)


def fault_preparing(every: int) -> None:
    shas = []
    for number in range(2):
        Path(f"text{number}.txt").write_text(TEXTS[number])
        run_for(None, "prepare", f"text{number}.txt", "--name", "novel", "--force")
        shas.append(Corpus(Run(Path("runs/novel")).corpus).info.sha256)
    code, changes, said = trial(1 << 60, "prepare", "text0.txt", "--name", "novel", "--force")
    if code != 0:
        fail(said)
    trials = range(1, changes + 1, every)
    for full_at in trials:
        run_for(None, "prepare", "text1.txt", "--name", "novel", "--force")
        code, _, said = trial(full_at, "prepare", "text0.txt", "--name", "novel", "--force")
        run_for(None, "models")
        run = Run(Path("runs/novel"))
        look(run)
        if code == 0:  # only the removal of old files failed
            continue
        check(code, said, full_at, "prepare")
        if Corpus(run.corpus).info.sha256 not in shas:
            fail("a prepare on a full disk left a mixture")
    run_for(None, "prepare", "text0.txt", "--name", "novel", "--force")
    if left := unfinished():
        fail(f"temporary files were left: {', '.join(left)}")
    print(f"prepare: {len(trials)} of {changes} changes of files failed in turn; 0 failures", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="try only every N-th change")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        tempfile.tempdir = folder
        fault_training(args.every)
        fault_preparing(args.every)
