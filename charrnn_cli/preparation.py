"""Makes a run of text files: counts, builds the vocabulary, writes the ids, and swaps the whole run in at once."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, disk_errors
from charrnn_cli.files import finish_renames, new_folder, remove_leftovers
from charrnn_cli.runs import RUNS, Run, named
from charrnn_cli.text.corpus import (
    Corpus,
    CorpusInfo,
    Progress,
    build_vocabulary,
    split_sizes,
    survey,
    write_corpus,
)
from charrnn_cli.text.sources import STDIN, find_sources, text_decoder


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to be trained."""

    run: Run
    corpus: CorpusInfo
    already: bool  # nothing was changed: the same text had been prepared before


def prepare(
    arguments: Sequence[str], settings: PrepareSettings, name: str | None = None, force: bool = False
) -> Iterator[Progress | Prepared]:
    """Prepares files, folders or standard input (`-`) as the run `name`: progress, then the run.

    Two passes over the text in chunks; memory does not grow with the text. Killed at any moment, it leaves the old
    run or the new one. Raises TextError, RunError, DiskError, UsageError.
    """
    text_decoder(settings.encoding)
    run = named(name or _name_of(arguments[0]))
    with disk_errors("write", RUNS):
        RUNS.mkdir(exist_ok=True)
        remove_leftovers(RUNS)
        finish_renames(RUNS)
    with disk_errors("write", RUNS), tempfile.TemporaryDirectory(prefix="charrnn-") as spool:
        sources = find_sources(arguments, Path(spool))
        found = yield from survey(sources, settings)
        vocabulary = build_vocabulary(found, settings)
        split_sizes(found.tokens, settings)
        if run.prepared and (old := Corpus(run.corpus).info).sha256 == found.sha256 and old.settings == settings:
            yield Prepared(run, old, already=True)
            return
        if run.folder.exists() and not force:
            raise RunError(_in_the_way(run))
        with new_folder(run.folder) as folder:
            new = Run(folder)
            new.corpus.mkdir()
            info = yield from write_corpus(sources, settings, found, vocabulary, new.corpus)
            vocabulary.save(new.vocabulary)
    yield Prepared(run, info, already=False)


def _name_of(argument: str) -> str:
    return "stdin" if argument == STDIN else Path(argument).resolve().stem


def _in_the_way(run: Run) -> str:
    lost = "its corpus"
    if run.trained:
        lost += " and its trained model"
    return (
        f"{run.folder} holds another text, or the same one prepared otherwise. --name NAME prepares beside it; "
        f"--force replaces it, and {lost} would be lost."
    )
