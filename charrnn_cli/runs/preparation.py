"""Makes a run of text files: counts, builds the vocabulary, writes the ids, and swaps the whole run in at once."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError, UsageError, disk_errors
from charrnn_cli.files import finish_renames, locked, new_folder, remove_folder, remove_leftovers
from charrnn_cli.machine import available_cores
from charrnn_cli.runs.folders import RUNS, Run, named, to_train
from charrnn_cli.text.coding import coder
from charrnn_cli.text.corpus import (
    AGAIN,
    SPLITS,
    TEXT,
    Corpus,
    CorpusInfo,
    Parts,
    Progress,
    Survey,
    join_corpora,
    split_sizes,
    survey,
    total_size,
    write_corpus,
)
from charrnn_cli.text.sources import STDIN, Source, find_sources, plain_stem, pre_split, text_decoder
from charrnn_cli.text.vocabulary import Vocabulary

LARGE = 1 << 25  # bytes from which on several processes are worth their start


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to be trained."""

    run: Run
    vocabulary: Vocabulary
    corpus: CorpusInfo
    already: bool  # nothing was changed: the same text had been prepared before


def prepare(
    arguments: Sequence[str],
    settings: PrepareSettings,
    name: str | None = None,
    force: bool = False,
    valid_files: Sequence[str] = (),
    test_files: Sequence[str] = (),
    workers: int | None = None,
) -> Iterator[Progress | Prepared]:
    """Prepares files, folders or standard input (`-`) as the run `name`: progress, then the run.

    Where there are `valid_files`, the arguments are the training text; a single folder with files for each split is
    taken as such. Two passes over the text in chunks; memory does not grow with the text. So many `workers` share what
    can be shared, and change nothing in the result; None: a process for each core, where the text is large. Killed at
    any moment, it leaves the old run or the new one. Raises TextError, RunError, DiskError, UsageError.
    """
    text_decoder(settings.encoding)
    files = _parts(arguments, valid_files, test_files)
    run = named(_name_of(arguments[0], TEXT not in files) if name is None else name)
    if TEXT not in files and (settings.valid, settings.test) != (None, None):
        raise UsageError(
            "--valid and --test are shares of one text, and here each split has files of its own: leave them out."
        )
    with disk_errors("write", RUNS):
        remove_leftovers(RUNS)
        finish_renames(RUNS)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as spool:
        parts = {part: find_sources(paths, Path(spool, part)) for part, paths in files.items()}
        _refuse_to_leak(parts)
        coding = coder(settings, _processes(parts, workers))
        found = yield from survey(parts, coding)
        vocabulary = coding.vocabulary()
        split_sizes(found, settings)
        if run.folder.exists() and not (force and run.folder.is_dir()):
            yield Prepared(run, vocabulary, _the_same(run, found, settings), already=True)
            return
        with locked(run.folder) if run.folder.exists() else nullcontext(), new_folder(run.folder) as folder:
            new = Run(folder)
            new.corpus.mkdir()
            info = yield from write_corpus(parts, settings, found, coding, vocabulary, new.corpus)
            vocabulary.save(new.vocabulary)
    yield Prepared(run, vocabulary, info, already=False)


def append(
    arguments: Sequence[str],
    name: str,
    valid_files: Sequence[str] = (),
    test_files: Sequence[str] = (),
    workers: int | None = None,
) -> Iterator[Progress | Prepared]:
    """Adds files to the corpus of the run `name`, split by split, in the ids of its vocabulary: progress, then the run.

    What the run was trained to stays, and goes on. Raises TextError for a text that the vocabulary lacks tokens of,
    RunError, DiskError, UsageError.
    """
    run = to_train(name)
    files = _parts(arguments, valid_files, test_files)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as spool, locked(run.folder):
        parts = {part: find_sources(paths, Path(spool, part)) for part, paths in files.items()}
        _refuse_to_leak(parts)
        old, vocabulary = Corpus(run.corpus), Vocabulary.load(run.vocabulary)
        settings = old.info.settings
        coding = coder(settings, _processes(parts, workers))
        found = yield from survey(parts, coding)
        if vocabulary.unknown is None and (lacking := coding.lacking(vocabulary)):
            shown = ", ".join(map(repr, lacking[:5])) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
            raise TextError(
                f"the text has what the vocabulary of {run.name} lacks: {shown}; and it has no <unk> for that. "
                f"Leave it out of the text, or prepare all texts as one under another name: --name NAME"
            )
        with new_folder(run.corpus) as folder:
            added = Path(folder, "added")
            added.mkdir()
            yield from write_corpus(parts, settings, found, coding, vocabulary, added)
            info = join_corpora(old, Corpus(added), vocabulary, folder)
            remove_folder(added)
    yield Prepared(run, vocabulary, info, already=False)


def _processes(parts: Parts, workers: int | None) -> int:
    """How many processes share the work."""
    if workers is not None:
        return workers
    return available_cores() if total_size(parts) >= LARGE else 1


def _parts(
    arguments: Sequence[str], valid_files: Sequence[str], test_files: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """The files of each part, as they were named. Raises TextError, UsageError."""
    if valid_files:
        parts = {"train": arguments, "valid": valid_files, "test": test_files}
        for folder in (path for path in map(Path, arguments) if path.is_dir() and pre_split(path)):
            raise UsageError(f"{folder} is split already: leave --valid-file and --test-file out, or name its files.")
        return {part: paths for part, paths in parts.items() if paths}
    if test_files:
        raise UsageError("--test-file needs a --valid-file beside it: training is watched on text that it never sees.")
    if len(arguments) == 1 and arguments[0] and Path(arguments[0]).is_dir():
        return pre_split(Path(arguments[0])) or {TEXT: arguments}
    return {TEXT: arguments}


def _refuse_to_leak(parts: Mapping[str, Sequence[Source]]) -> None:
    """Raises UsageError where one file is in two parts."""
    part_of: dict[Path, str] = {}
    for part, sources in parts.items():
        for source in sources:
            other = part_of.setdefault(source.path.resolve(), part)
            if other != part:
                raise UsageError(f"{source.name} is named as {other} and as {part} text: give it once.")


def _name_of(argument: str, is_split: bool) -> str:
    """The name of a file or folder without its last ending, and of a training text without that of its split."""
    if argument == STDIN:
        return "stdin"
    path = Path(argument)
    stem = plain_stem(path) or path.resolve().stem
    if not is_split:
        return stem
    return path.resolve().parent.name if stem == "train" else stem.removesuffix(".train")


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
