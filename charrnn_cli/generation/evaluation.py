"""Measures how well a model predicts files, a split of its own text, or a text in memory."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.config import Documents, EngineName, Unscorable
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.arguments import check_threads
from charrnn_cli.generation.model import Model, load
from charrnn_cli.generation.reading import ReadProgress, ignore_progress
from charrnn_cli.generation.results import TextScore
from charrnn_cli.generation.scoring_input import (
    Split,
    file_parts,
    parts_of_split,
    read_files,
    read_split_of,
    read_string,
    string_parts,
)
from charrnn_cli.runs.folders import RUNS, Run
from charrnn_cli.setting import check_choice, check_function, check_paths, check_text

if TYPE_CHECKING:
    import torch

    from charrnn_cli.generation.surprisal import TokenSurprisal
    from charrnn_cli.generation.word_surprisal import WordSurprisal
    from charrnn_cli.text.scorable import ScorableText, TokenPart


def evaluate(
    model: Model | Run | Path | str | None = None,
    files: Sequence[Path | str] | Path | str = (),
    *,
    split: Split | None = None,
    encoding: str | None = None,
    documents: Documents | None = None,
    field: str | None = None,
    unknown: Unscorable = "error",
    checkpoint: int | str | None = None,
    engine: EngineName | None = None,
    exact: bool = False,
    adapt: bool = False,
    gpu: bool = False,
    cpu: bool = False,
    device: str | None = None,
    threads: int | None = None,
    per_line: bool = False,
    root: Path | str = RUNS,
    progress: ReadProgress = ignore_progress,
) -> TextScore:
    """Scores files as one text, or a `split` of the run's own text, by default "test".

    `model` is anything that `load` takes, or a loaded model, which keeps its engine. Otherwise the engine is torch
    unless `engine` names another. `encoding`, `documents` and `field` say how to read the files; by default, as the
    run's own text was read. `exact` reads a long text in one pass instead of several streams, which changes the result
    by less than 0.001. With `adapt`, a copy of the model learns from the text as it reads it, in one pass. `per_line`
    also scores each line. `progress` is called with the share that is done, 0 to 1.

    Raises UsageError, RunError, TextError, DiskError, DeviceError.
    """
    named = check_paths("files", files)
    _check(named, split, documents, field, unknown, threads)
    check_function("progress", progress)
    if engine is not None:
        check_choice("engine", engine, EngineName)
    from charrnn_cli.network.memory import memory_errors

    if not isinstance(model, Model):
        model = load(model, checkpoint=checkpoint, engine=engine or "torch", root=root)
    engine = engine or model.engine_name
    place = _place(model, engine, gpu, cpu, device)
    with memory_errors("Score a shorter text, or pass `cpu`."):
        if named:
            text = read_files(named, model.stored, unknown, per_line, **_passed(encoding, documents, field))
        else:
            text = read_split_of(model.run, split or "test", model.vocabulary, per_line)
        return _score(model, text, place, exact, engine, threads or model.threads, adapt=adapt, progress=progress)


def surprisals(
    model: Model,
    files: Sequence[Path | str] | Path | str = (),
    *,
    per_word: bool = False,
    exact: bool = False,
    adapt: bool = False,
    split: Split | None = None,
    encoding: str | None = None,
    documents: Documents | None = None,
    field: str | None = None,
    unknown: Unscorable = "error",
    gpu: bool = False,
    cpu: bool = False,
    device: str | None = None,
    threads: int | None = None,
) -> Iterator["TokenSurprisal | WordSurprisal"]:
    """The surprisal of each token, or of each word, of files or of a `split`; the arguments are those of `evaluate`.

    The text is read as the surprisals are taken, and each document starts from the initial state. Raises the same as
    `evaluate`.
    """
    named = check_paths("files", files)
    _check(named, split, documents, field, unknown, threads)
    place = _place(model, model.engine_name, gpu, cpu, device)
    marks = dict(model.vocabulary.marks)
    if named:
        parts = file_parts(named, model.stored, marks, unknown, **_passed(encoding, documents, field))
    else:
        parts = parts_of_split(model.run, split or "test", model.vocabulary)
    return _surprisals(model, parts, place, marks, per_word, exact, threads, adapt)


def text_surprisals(
    model: Model, text: str, per_word: bool, unknown: Unscorable = "error", adapt: bool = False
) -> Iterator["TokenSurprisal | WordSurprisal"]:
    """The surprisal of each token, or of each word, of a text in memory. Raises TextError, RunError."""
    check_text("text", text)
    check_choice("unknown", unknown, Unscorable)
    place = _place(model, model.engine_name)
    marks = dict(model.vocabulary.marks)
    parts = string_parts(text, model.stored, marks, unknown)
    return _surprisals(model, parts, place, marks, per_word, adapt=adapt)


def evaluate_text(model: Model, text: str, unknown: Unscorable = "error", adapt: bool = False) -> TextScore:
    """Scores a text in memory, and each of its tokens. Raises TextError, RunError."""
    check_text("text", text)
    check_choice("unknown", unknown, Unscorable)
    place = _place(model, model.engine_name)
    scorable = read_string(text, model.stored, unknown)
    return _score(model, scorable, place, False, model.engine_name, model.threads, each_token=True, adapt=adapt)


def _place(
    model: Model, engine: EngineName, gpu: bool = False, cpu: bool = False, device: str | None = None
) -> "torch.device":
    """The device that scores: the one that was asked for, or that of the model. Raises UsageError, DeviceError."""
    from charrnn_cli.generation.scoring import scoring_device  # loads torch

    return scoring_device(engine, gpu or model.gpu, cpu, device or model.device)


def _score(
    model: Model,
    text: "ScorableText",
    place: "torch.device",
    exact: bool,
    engine: EngineName,
    threads: int | None,
    each_token: bool = False,
    adapt: bool = False,
    progress: ReadProgress = ignore_progress,
) -> TextScore:
    from charrnn_cli.generation.scoring import score_text

    for event in score_text(model.stored, text, place, exact, engine, threads, each_token, adapt):
        if isinstance(event, TextScore):
            return event
        progress(event)
    raise AssertionError("scoring ends with a score")


def _surprisals(
    model: Model,
    parts: "Iterable[TokenPart]",
    place: "torch.device",
    marks: dict[str, str],
    per_word: bool,
    exact: bool = False,
    threads: int | None = None,
    adapt: bool = False,
) -> Iterator["TokenSurprisal | WordSurprisal"]:
    from charrnn_cli.generation.scoring import scoring_network
    from charrnn_cli.generation.surprisal import Predictor, surprisal_steps, token_surprisals
    from charrnn_cli.generation.word_surprisal import word_surprisals
    from charrnn_cli.network.memory import memory_errors

    network, _, watched = scoring_network(model.stored, place, model.engine_name, threads or model.threads, adapt)
    with memory_errors("Pass `cpu`."):
        predictor = Predictor(network, model.vocabulary, place, watched, exact or adapt)
        text = surprisal_steps(predictor, parts, model.vocabulary)
        yield from word_surprisals(text, model.vocabulary, marks) if per_word else token_surprisals(text)


def _passed(encoding: str | None, documents: Documents | None, field: str | None) -> dict[str, Any]:
    """Those that were passed, of the arguments that say how to read files."""
    given = {"encoding": encoding, "documents": documents, "field": field}
    return {name: value for name, value in given.items() if value is not None}


def _check(
    files: Sequence[str],
    split: str | None,
    documents: str | None,
    field: str | None,
    unknown: Unscorable,
    threads: int | None,
) -> None:
    """Raises UsageError for arguments that are wrong or contradict each other."""
    check_choice("unknown", unknown, Unscorable)
    check_threads(threads)
    if split is not None:
        check_choice("split", split, Split)
    if files and split:
        raise UsageError(f"`split={split}` is a part of the run's own text, but files are named too. Leave one out.")
    if (documents or field) and not files:
        raise UsageError("`documents` and `field` say how to read files. Name a file, or leave them out.")
