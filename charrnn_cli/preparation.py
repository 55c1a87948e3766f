"""Makes a run of text files: counts, builds the vocabulary, writes the ids, and swaps the whole run in at once."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import finish_renames, locked, new_folder, remove_leftovers
from charrnn_cli.runs import RUNS, Run, named
from charrnn_cli.text.coding import coder
from charrnn_cli.text.corpus import (
    AGAIN,
    SPLITS,
    TEXT,
    Corpus,
    CorpusInfo,
    Progress,
    Survey,
    split_sizes,
    survey,
    write_corpus,
)
from charrnn_cli.text.sources import STDIN, Source, find_sources, pre_split, text_decoder
from charrnn_cli.text.vocabulary import Vocabulary


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
) -> Iterator[Progress | Prepared]:
    """Prepares files, folders or standard input (`-`) as the run `name`: progress, then the run.

    Where there are `valid_files`, the arguments are the training text; a single folder with files for each split is
    taken as such. Two passes over the text in chunks; memory does not grow with the text. Killed at any moment, it
    leaves the old run or the new one. Raises TextError, RunError, DiskError, UsageError.
    """
    text_decoder(settings.encoding)
    files = _parts(arguments, valid_files, test_files)
    run = named(_name_of(arguments[0], TEXT not in files) if name is None else name)
    shares = (settings.valid, settings.test)
    if TEXT not in files and shares != (PrepareSettings.valid, PrepareSettings.test):
        raise UsageError(
            "--valid and --test are shares of one text, and here each split has files of its own: leave them out."
        )
    with disk_errors("write", RUNS):
        remove_leftovers(RUNS)
        finish_renames(RUNS)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as spool:
        parts = {part: find_sources(paths, Path(spool, part)) for part, paths in files.items()}
        _refuse_to_leak(parts)
        coding = coder(settings)
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
    stem = path.stem or path.resolve().stem
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
