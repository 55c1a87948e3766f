"""Checks every file of a run or model: that it can be read, fits the other files, and matches its checksum."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from charrnn_cli.errors import CharrnnError, RunError
from charrnn_cli.files import anything_exists
from charrnn_cli.runs.checkpoints import Checkpoint, checkpoints
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.found_cells import checked_cells
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.models import Config, load_model
from charrnn_cli.text.corpus import SPLIT_NAMES, Corpus
from charrnn_cli.text.vocabulary import Vocabulary

HASHED_IDS = 1 << 24  # ids that are hashed at a time
CheckModel = Callable[[Run, int | None], object]


@dataclass(frozen=True)
class FileCheck:
    """A file or folder that was checked."""

    path: Path
    problem: str | None  # None if it is valid

    def record(self) -> dict[str, str | None]:
        """The result as a JSON object."""
        return {"path": str(self.path), "problem": self.problem}


def verify(run: Run, check_model: CheckModel = load_model) -> Iterator[FileCheck]:
    """Checks every file of a run, and yields the result for each.

    `check_model` loads the model, or the one at a step, and raises a CharrnnError if it is damaged. Pass
    `network.weights.load_checked_model` to check the weights against the settings too.
    """
    yield _check(run.vocabulary, lambda: Vocabulary.load(run.vocabulary))
    if anything_exists(run.config):
        yield _check(run.config, lambda: Config.load(run.config))
    if anything_exists(run.corpus):
        corpus = Corpus(run.corpus)
        yield _check(run.corpus / "corpus.json", lambda: corpus.info)
        for split in SPLIT_NAMES:
            yield _check(run.corpus / f"{split}.bin", partial(_check_split, run, corpus, split))
    if anything_exists(run.weights):
        yield _check(run.weights, lambda: check_model(run, None))
    if anything_exists(run.cells):
        yield _check(run.cells, lambda: checked_cells(run.cells))
    for checkpoint in checkpoints(run):
        yield _check(checkpoint.folder, partial(_check_checkpoint, run, checkpoint, check_model))
    if anything_exists(run.log):
        yield _check(run.log, lambda: list(read_log(run.log)))


def _check(path: Path, read: Callable[[], object]) -> FileCheck:
    try:
        read()
    except CharrnnError as error:
        return FileCheck(path, str(error))
    return FileCheck(path, None)


def _check_checkpoint(run: Run, checkpoint: Checkpoint, check_model: CheckModel) -> None:
    """Raises RunError if a file of a checkpoint is damaged."""
    checkpoint.load()
    check_model(run, checkpoint.step)


def _check_split(run: Run, corpus: Corpus, split: str) -> None:
    """Raises RunError if the ids of a split do not match their checksum, or are not in the vocabulary."""
    path = run.corpus / f"{split}.bin"
    ids, vocabulary_size, digest = corpus.split(split), len(Vocabulary.load(run.vocabulary)), hashlib.sha256()
    for start in range(0, len(ids), HASHED_IDS):
        block = np.ascontiguousarray(ids[start : start + HASHED_IDS])
        digest.update(block.data)
        highest = int(block.max())
        if highest >= vocabulary_size:
            raise RunError(
                f"{path} is damaged: it has the id {highest}, but the vocabulary has only {vocabulary_size} tokens."
            )
    checksum = corpus.info.split_sha256.get(split)
    if checksum is not None and checksum != digest.hexdigest():
        raise RunError(f"{path} is damaged: its checksum does not match its content.")
