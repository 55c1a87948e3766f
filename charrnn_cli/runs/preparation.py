"""Prepares a run from texts: counts tokens, makes the vocabulary, writes the ids, and puts the run in place at once."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError, UsageError, disk_errors
from charrnn_cli.files import finish_renames, locked, new_folder, remove_folder, remove_leftovers
from charrnn_cli.machine import available_cores
from charrnn_cli.runs.folders import RUNS, Run, run_named, run_to_train
from charrnn_cli.setting import check_function, check_path, check_paths, check_text_list, check_whole, defaults
from charrnn_cli.text.coding import Coder, coder
from charrnn_cli.text.corpus import PREPARE_AGAIN, SPLIT_NAMES, Corpus, CorpusInfo
from charrnn_cli.text.corpus_writer import (
    WHOLE_TEXT,
    PartSources,
    PassProgress,
    Survey,
    join_corpora,
    learn,
    split_sizes,
    survey,
    total_size,
    write_corpus,
)
from charrnn_cli.text.decoding import text_decoder
from charrnn_cli.text.order import is_sorted
from charrnn_cli.text.sources import STDIN, find_sources, plain_stem, pre_split, skipped_files
from charrnn_cli.text.spool import temporary_folder
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.wording import check_names

PARALLEL_BYTES = 1 << 25  # texts of at least this size are worth several processes
UNSPACED_SHARE = 0.2  # of a text, in scripts without spaces, from which words are called clauses
NAMED_MISSING_TOKENS = 5  # number of missing tokens that a message names


@dataclass(frozen=True)
class Prepared:
    """A run that is ready for training."""

    run: Run
    vocabulary: Vocabulary
    corpus: CorpusInfo
    unchanged: bool  # the same text was already prepared, so nothing was written
    skipped: Sequence[str] = ()  # the files in the named folders that were not read
    has_clauses: bool = False  # whether words are clauses, because the text has no spaces between words
    is_sorted: bool = False  # whether documents are in alphabetical order, so that only the last ones are held out


def prepare(
    files: Sequence[Path | str] | Path | str,
    *,
    name: str | None = None,
    append: str | None = None,
    force: bool = False,
    valid_file: Sequence[str] = (),
    test_file: Sequence[str] = (),
    include: Sequence[str] = (),
    workers: int | None = None,
    root: Path | str = RUNS,
    report: Callable[[PassProgress | Prepared], None] = lambda event: None,
    **settings: Any,
) -> Run:
    """Prepares texts: turns them into token ids and splits them. Returns the run, which can then be trained.

    `files` are files or folders; with `valid_file` and `test_file` they are the training text only. Of a folder, all
    texts are read, and the files that match a pattern of `include`. The run is a folder in `root`, called `name` or
    like the first file. `append` is the name of a run to add the texts to. `force` replaces an existing run and its
    model. `workers` is the number of processes. `report` is called with the progress, and finally with a `Prepared`.
    The `settings` are those of `PrepareSettings`, such as `level="word"`.

    Raises UsageError, TextError, RunError, DiskError.
    """
    texts, folder = check_paths("files", files), check_path("root", root)
    if not texts:
        raise UsageError("there is no text to prepare. Name at least one file.")
    check_names(settings, defaults(PrepareSettings), "preparing", prepare)
    check_function("report", report)
    if workers is not None:
        check_whole("workers", workers, 1)
    patterns = check_text_list("include", include)
    held_out = (check_paths("valid_file", valid_file), check_paths("test_file", test_file))
    if append is None:
        steps = prepare_steps(texts, PrepareSettings(**settings), name, force, *held_out, workers, folder, patterns)
    elif name is not None or force or settings:
        raise UsageError(
            f"`append={append}` keeps the name and the settings of that run. Leave out everything but the texts."
        )
    else:
        steps = append_steps(texts, append, *held_out, workers, folder, patterns)
    for event in steps:
        report(event)
        if isinstance(event, Prepared):
            return event.run
    raise AssertionError("preparing ends with a run")


def prepare_steps(
    texts: Sequence[str],
    settings: PrepareSettings,
    name: str | None = None,
    force: bool = False,
    valid_file: Sequence[str] = (),
    test_file: Sequence[str] = (),
    workers: int | None = None,
    root: Path = RUNS,
    include: Sequence[str] = (),
) -> Iterator[PassProgress | Prepared]:
    """Prepares a run called `name` in `root`: yields progress, then the run.

    `texts` are files, folders or standard input (`-`); with `valid_file` they are the training text. A single folder
    with a file for each split is recognized. The text is read in passes, in chunks, so memory does not grow with it.
    `workers` is the number of processes, which does not change the result; None uses one per core for a large text.
    Folders give their texts, and the files that match a pattern of `include`. If the process is killed, either the old
    run or the new one is there.
    Raises TextError, RunError, DiskError, UsageError.
    """
    text_decoder(settings.encoding)
    files = _files_of_parts(texts, valid_file, test_file)
    run = run_named(_default_name(texts[0], WHOLE_TEXT not in files) if name is None else name, root)
    if WHOLE_TEXT not in files and (settings.valid, settings.test) != (None, None):
        raise UsageError(
            "`valid` and `test` cut one text into splits, but here each split has its own files. Leave them out."
        )
    with disk_errors("write", root):
        remove_leftovers(root)
        finish_renames(root)
    with temporary_folder() as spool:
        parts = _sources_of_parts(files, Path(spool), include)
        work = coder(settings, _processes(parts, workers))
        yield from learn(parts, work)
        surveyed = yield from survey(parts, work, settings.documents is not None)
        vocabulary = work.vocabulary()
        skipped = _skipped(files, parts, root)
        has_clauses = work.unspaced_share >= UNSPACED_SHARE
        split_sizes(surveyed, settings)  # raises its error before anything is written
        if _exists(run.folder) and not (force and run.folder.is_dir()):
            info = _same_corpus(run, surveyed, settings)
            yield Prepared(run, vocabulary, info, True, skipped, has_clauses)
            return
        info = yield from _write_run(run, parts, settings, surveyed, work, vocabulary)
    in_order = WHOLE_TEXT in parts and is_sorted(Corpus(run.corpus).split("train"), vocabulary)
    yield Prepared(run, vocabulary, info, False, skipped, has_clauses, in_order)


def _write_run(
    run: Run, parts: PartSources, settings: PrepareSettings, surveyed: Survey, work: Coder, vocabulary: Vocabulary
) -> Generator[PassProgress, None, CorpusInfo]:
    """Writes a run's corpus and vocabulary, replacing any existing run."""
    with locked(run.folder) if _exists(run.folder) else nullcontext(), new_folder(run.folder) as folder:
        new_run = Run(folder)
        new_run.corpus.mkdir()
        info = yield from write_corpus(parts, settings, surveyed, work, vocabulary, new_run.corpus)
        vocabulary.save(new_run.vocabulary)
    return info


def append_steps(
    texts: Sequence[str],
    name: str,
    valid_file: Sequence[str] = (),
    test_file: Sequence[str] = (),
    workers: int | None = None,
    root: Path = RUNS,
    include: Sequence[str] = (),
) -> Iterator[PassProgress | Prepared]:
    """Adds files to the corpus of the run `name`, split by split: yields progress, then the run.

    Keeps the run's vocabulary, settings and model. Raises TextError if the vocabulary lacks tokens of the text and has
    no <unk>; RunError, DiskError, UsageError.
    """
    run = run_to_train(name, root)
    files = _files_of_parts(texts, valid_file, test_file)
    with temporary_folder() as spool, locked(run.folder):
        parts = _sources_of_parts(files, Path(spool), include)
        old, vocabulary = Corpus(run.corpus), Vocabulary.load(run.vocabulary)
        settings = old.info.settings
        _check_vocabulary(run, vocabulary, settings)
        work = coder(settings, _processes(parts, workers), vocabulary)
        surveyed = yield from survey(parts, work, settings.documents is not None)
        if vocabulary.unknown is None:
            _check_known(work.lacking(vocabulary), run)
        with new_folder(run.corpus) as folder:
            added = folder / "added"
            added.mkdir()
            yield from write_corpus(parts, settings, surveyed, work, vocabulary, added, may_be_empty=True)
            info = join_corpora(old, Corpus(added), vocabulary, folder)
            remove_folder(added)
    yield Prepared(run, vocabulary, info, unchanged=False, skipped=_skipped(files, parts, root))


def _check_vocabulary(run: Run, vocabulary: Vocabulary, settings: PrepareSettings) -> None:
    """Raises RunError if a vocabulary is not that of a text which was read with these settings."""
    if vocabulary.level != settings.level:
        problem = f"it is for the level {vocabulary.level}, but the text was prepared with the level {settings.level}"
    elif (vocabulary.split_on, vocabulary.lowercase) != (settings.split_on, settings.lowercase):
        problem = "it splits or converts words differently than corpus.json says"
    elif (vocabulary.end is None) != (settings.documents is None):
        problem = "it and corpus.json do not agree whether documents have an end"
    else:
        return
    raise RunError(f"{run.vocabulary} is damaged: {problem}. {PREPARE_AGAIN}")


def _check_known(lacking: list[str], run: Run) -> None:
    """Raises TextError if the vocabulary of a run lacks tokens."""
    if not lacking:
        return
    shown = ", ".join(map(repr, lacking[:NAMED_MISSING_TOKENS]))
    if len(lacking) > NAMED_MISSING_TOKENS:
        shown += f" and {len(lacking) - NAMED_MISSING_TOKENS} more"
    raise TextError(
        f"the vocabulary of {run.name} does not have these parts of the text: {shown}. It has no <unk> for them. "
        "Remove them from the text, or prepare all texts together as a new run: pass `name=NAME`."
    )


def _processes(parts: PartSources, workers: int | None) -> int:
    if workers is not None:
        return workers
    return available_cores() if total_size(parts) >= PARALLEL_BYTES else 1


def _files_of_parts(
    texts: Sequence[str], valid_file: Sequence[str], test_file: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """The files of each part, as they were named. Raises TextError, UsageError."""
    if test_file and not valid_file:
        raise UsageError(
            "`test_file` needs a `valid_file`, because training measures progress on a text that it does not learn "
            "from. Name one."
        )
    if valid_file:
        for folder in map(Path, texts):
            if _is_folder(folder) and pre_split(folder):
                raise UsageError(
                    f"{folder} is already split. Leave out `valid_file` and `test_file`, or name the files in it."
                )
        named_files = {"train": texts, "valid": valid_file, "test": test_file}
        return {part: files for part, files in named_files.items() if files}
    if len(texts) == 1 and texts[0] and _is_folder(Path(texts[0])):
        return pre_split(Path(texts[0])) or {WHOLE_TEXT: texts}
    return {WHOLE_TEXT: texts}


def _sources_of_parts(files: Mapping[str, Sequence[str]], spool: Path, include: Sequence[str]) -> PartSources:
    """The sources of each part.

    Raises UsageError if two parts share a file, so that no test text is learned, or if `include` has no folder.
    """
    if include and not any(_is_folder(Path(name)) for names in files.values() for name in names):
        raise UsageError(
            "`include` adds files of folders, but only files are read here. A folder that is already split gives only "
            "the files of its splits. Leave `include` out."
        )
    parts = {part: find_sources(names, spool / part, include) for part, names in files.items()}
    part_of: dict[Path, str] = {}
    for part, sources in parts.items():
        for source in sources:
            with disk_errors("read", source.path):
                path = source.path.resolve()
            other = part_of.setdefault(path, part)
            if other != part:
                raise UsageError(f"{source.name} is named as {other} and as {part} text. Name it once.")
    return parts


def _skipped(files: Mapping[str, Sequence[str]], parts: PartSources, root: Path) -> list[str]:
    """The files in the named folders that are not read, without those of runs in `root`."""
    skipped = [file for part, names in files.items() for file in skipped_files(names, parts[part])]
    return [file for file in skipped if root not in Path(file).parents]


def _default_name(argument: str, is_split: bool) -> str:
    """The name of a run: that of its file or folder without the ending, and without `.train` if the text is split."""
    if argument == STDIN:
        return "stdin"
    path = Path(argument)
    with disk_errors("read", path):
        resolved = path.resolve()
    stem = plain_stem(path) or resolved.stem
    if not is_split:
        return stem
    return resolved.parent.name if stem == "train" else stem.removesuffix(".train")


def _same_corpus(run: Run, surveyed: Survey, settings: PrepareSettings) -> CorpusInfo:
    """The corpus that a run already has. Raises RunError if it has another text or other settings, or is damaged."""
    corpus = Corpus(run.corpus)
    if run.prepared and corpus.info.sha256 == surveyed.sha256 and corpus.info.settings == settings:
        for split in SPLIT_NAMES:
            corpus.split(split)
        try:
            Vocabulary.load(run.vocabulary)
        except RunError as error:
            raise RunError(f"{error} {PREPARE_AGAIN}") from error
        return corpus.info
    if not run.folder.is_dir():
        raise RunError(f"{run.folder} exists but is not a run. Move it, or choose another name: pass `name=NAME`.")
    lost = "its corpus and its trained model" if run.trained else "its corpus"
    raise RunError(
        f"{run.folder} already has another text, or the same text with other settings. To keep it, choose another "
        f"name: pass `name=NAME`. To replace it and delete {lost}, pass `force=True`."
    )


def _exists(path: Path) -> bool:
    with disk_errors("read", path):
        return path.exists()


def _is_folder(path: Path) -> bool:
    with disk_errors("read", path):
        return path.is_dir()
