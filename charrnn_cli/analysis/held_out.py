"""The text that cells are searched on: files, or a split of a run's own text that it did not learn from."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import RunError, TextError, UsageError
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.scoring_input import Split, file_parts, parts_of_split
from charrnn_cli.runs.folders import Run
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.scorable import NO_TOKEN, TokenPart
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import EOD

FEWEST_TOKENS = 1000  # too few to choose and to test
HELD_OUT_SPLITS: tuple[Split, ...] = ("test", "valid")


@dataclass(frozen=True)
class HeldOutText:
    """N tokens of a text."""

    name: str
    ids: NDArray[np.int32]  # (N,)
    pieces: list[str]  # what each token adds to the text; a line break for the end of a document

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def read_held_out(model: Model, files: Sequence[str], limit: int, **reading: Any) -> HeldOutText:
    """The first `limit` tokens of files, read as the model's own text was, or of a split of the run.

    `reading` are arguments of `file_parts`. Raises RunError if the run has no split, TextError, UsageError, DiskError.
    """
    if not files and set(reading) - {"unknown"}:
        raise UsageError(f"`{min(set(reading) - {'unknown'})}` says how to read a text. Name one, or leave it out.")
    marks = dict(model.vocabulary.marks)  # grows by the marks that only this text has
    if files:
        name, parts = ", ".join(files), file_parts(files, model.stored, marks, **reading)
    else:
        split = held_out_split(model.run)
        name, parts = f"{split} split of {model.run.folder}", parts_of_split(model.run, split, model.vocabulary)
    with closing(parts):  # type: ignore[type-var]  # both are generators
        tokens, ids = _first(parts, limit)
    if len(ids) < FEWEST_TOKENS:
        raise TextError(f"{name} has only {len(ids):,} tokens. Name a text with at least {FEWEST_TOKENS:,}.")
    vocabulary = model.vocabulary
    joiner = tokenizer_of(vocabulary, marks).joiner()
    return HeldOutText(name, ids, [joiner.add(token) + ("\n" if token == EOD else "") for token in tokens])


def held_out_split(run: Run) -> Split:
    """The split to read: test, or valid without a test text. Raises RunError if the run has neither."""
    if run.prepared:
        corpus = Corpus(run.corpus)
        for split in HELD_OUT_SPLITS:
            if len(corpus.split(split)):
                return split
    missing = "has no held-out text" if run.prepared else "comes without its text"
    raise RunError(f"{run.name} {missing}. Name one: charrnn visualize {run.quoted} FILE.txt")


def _first(parts: Iterator[TokenPart], limit: int) -> tuple[list[str], NDArray[np.int32]]:
    """The first tokens of a text and their ids. Ends of documents that the model does not know are left out."""
    tokens: list[str] = []
    ids: list[NDArray[np.int32]] = []
    for part in parts:
        kept = part.ids != NO_TOKEN
        tokens += [token for token, keep in zip(part.tokens, kept.tolist(), strict=True) if keep]
        ids.append(part.ids[kept])
        if len(tokens) >= limit:
            break
    return tokens[:limit], np.concatenate(ids or [np.zeros(0, np.int32)])[:limit]
