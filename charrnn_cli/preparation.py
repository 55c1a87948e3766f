"""Makes a run of text files: counts, builds the vocabulary, writes the ids, and swaps the whole run in at once."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, disk_errors
from charrnn_cli.files import finish_renames, locked, new_folder, remove_leftovers
from charrnn_cli.runs import RUNS, Run, named
from charrnn_cli.text.corpus import (
    AGAIN,
    SPLITS,
    Corpus,
    CorpusInfo,
    Progress,
    Survey,
    build_vocabulary,
    split_sizes,
    survey,
    write_corpus,
)
from charrnn_cli.text.sources import STDIN, find_sources, text_decoder
from charrnn_cli.text.vocabulary import Vocabulary


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
    run = named(_name_of(arguments[0]) if name is None else name)
    with disk_errors("write", RUNS):
        remove_leftovers(RUNS)
        finish_renames(RUNS)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as spool:
        sources = find_sources(arguments, Path(spool))
        found = yield from survey(sources, settings)
        vocabulary = build_vocabulary(found, settings)
        split_sizes(found.tokens, settings)
        if run.folder.exists() and not (force and run.folder.is_dir()):
            yield Prepared(run, _the_same(run, found, settings), already=True)
            return
        with locked(run.folder) if run.folder.exists() else nullcontext(), new_folder(run.folder) as folder:
            new = Run(folder)
            new.corpus.mkdir()
            info = yield from write_corpus(sources, settings, found, vocabulary, new.corpus)
            vocabulary.save(new.vocabulary)
    yield Prepared(run, info, already=False)


def _name_of(argument: str) -> str:
    return "stdin" if argument == STDIN else Path(argument).stem or Path(argument).resolve().stem


def _the_same(run: Run, found: Survey, settings: PrepareSettings) -> CorpusInfo:
    """What is prepared there already. Raises RunError where it is something else, or damaged."""
    corpus = Corpus(run.corpus)
    if run.prepared and corpus.info.sha256 == found.sha256 and corpus.info.settings == settings:
        for split in SPLITS:
            corpus.split(split)
        try:
            Vocabulary.load(run.vocabulary)
        except RunError as error:
            raise RunError(f"{error} {AGAIN}") from error
        return corpus.info
    if not run.folder.is_dir():
        raise RunError(f"{run.folder} is in the way and no run. Move it, or give another name with --name NAME.")
    lost = "its corpus and its trained model" if run.trained else "its corpus"
    raise RunError(
        f"{run.folder} holds another text, or the same one prepared otherwise. --name NAME prepares beside it; "
        f"--force replaces it, and {lost} would be lost."
    )
