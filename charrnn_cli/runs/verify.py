"""Whether every file of a run or model is what charrnn wrote, to the last bit where it has a checksum."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.errors import CharrnnError, RunError
from charrnn_cli.runs.checkpoints import Checkpoint, Config, checkpoints
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.models import load_model
from charrnn_cli.text.corpus import SPLIT_NAMES, Corpus
from charrnn_cli.text.vocabulary import Vocabulary

BLOCK = 1 << 24  # ids that are looked at at once


@dataclass(frozen=True)
class Verified:
    """A file, or a folder, and what is wrong with it."""

    path: Path
    problem: str | None  # None: nothing


def verify(run: Run) -> Iterator[Verified]:
    """Looks at every file of a run, and yields what it found."""
    yield _look(run.vocabulary, lambda: Vocabulary.load(run.vocabulary))
    if run.config.exists():
        yield _look(run.config, lambda: Config.load(run.config))
    if run.prepared:
        corpus = Corpus(run.corpus)
        yield _look(run.corpus / "corpus.json", lambda: corpus.info)
        for name in SPLIT_NAMES:
            yield _look(run.corpus / f"{name}.bin", partial(_split, run, corpus, name))
    if run.trained:
        yield _look(run.weights, lambda: load_model(run))
    for checkpoint in checkpoints(run):
        yield _look(checkpoint.folder, partial(_checkpoint, run, checkpoint))
    if run.log.exists():
        yield _look(run.log, lambda: list(read_log(run.log)))


def _look(path: Path, look: Callable[[], Any]) -> Verified:
    try:
        look()
    except CharrnnError as error:
        return Verified(path, str(error))
    return Verified(path, None)


def _checkpoint(run: Run, checkpoint: Checkpoint) -> None:
    """Raises RunError where the files of a checkpoint are damaged."""
    checkpoint.load()
    load_model(run, checkpoint.step)


def _split(run: Run, corpus: Corpus, name: str) -> None:
    """Raises RunError where the ids of a split are not those that were written, or not ids."""
    ids, size, digest = corpus.split(name), len(Vocabulary.load(run.vocabulary)), hashlib.sha256()
    for start in range(0, len(ids), BLOCK):
        block = np.ascontiguousarray(ids[start : start + BLOCK])
        digest.update(block.data)
        if int(block.max()) >= size:
            raise RunError(f"{run.corpus / f'{name}.bin'} is damaged: it has the id {block.max()}, of {size} tokens.")
    known = corpus.info.split_sha256.get(name)
    if known is not None and digest.hexdigest() != known:
        raise RunError(f"{run.corpus / f'{name}.bin'} is damaged: its checksum is not that of what it holds.")
