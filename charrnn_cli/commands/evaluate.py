"""charrnn evaluate: how well a model predicts a text."""

from typing import Annotated, Literal

import typer

from charrnn_cli.commands.options import (
    CheckpointOption,
    CpuOption,
    DeviceOption,
    GpuOption,
    JsonOption,
    ModelOption,
    ThreadsOption,
)
from charrnn_cli.config import MODEL, OUTPUT, TEXT, Documents, EngineName

LIKE_TRAINING = "[default: as for the model's own text]"


def evaluate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Texts to score; - is standard input.  [default: a split of the run]"),
    ] = None,
    split: Annotated[
        Literal["train", "valid", "test"] | None,
        typer.Option(help="The part of the run's own text to score.  [default: test]", rich_help_panel=TEXT),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            help=f"Text encoding of the files, such as cp1252 or utf-16.  {LIKE_TRAINING}", rich_help_panel=TEXT
        ),
    ] = None,
    documents: Annotated[
        Documents | None,
        typer.Option(help=f"Treat each file, line or record as a document.  {LIKE_TRAINING}", rich_help_panel=TEXT),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            help=f"Read JSON Lines, and take the text from this field of each record.  {LIKE_TRAINING}",
            rich_help_panel=TEXT,
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip"],
        typer.Option(
            help="What to do with parts of the text that the model does not know, if it has no <unk>: report them or "
            "skip them.",
            rich_help_panel=TEXT,
        ),
    ] = "error",
    model: ModelOption = None,
    checkpoint: CheckpointOption = None,
    engine: Annotated[
        EngineName,
        typer.Option(help="What computes the network; onnx uses 8-bit weights.", rich_help_panel=MODEL),
    ] = "torch",
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Read the text in one pass: slower; the result differs by less than 0.001.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    gpu: GpuOption = False,
    cpu: CpuOption = False,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    per_line: Annotated[
        bool,
        typer.Option(
            "--per-line",
            help="Score each line: print bits per character, perplexity, line number and line.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Score a text with a model: loss, bits per character, perplexity.

    The model reads the whole text from start to end. Every token except the first is predicted once.

    \b
    charrnn evaluate
    charrnn evaluate --model anna chapter.txt
    charrnn evaluate --model anna --per-line letter.txt | sort -rn | head
    """
    from charrnn_cli.errors import UsageError

    if files and split:
        raise UsageError(f"--split {split} is a part of the run's own text, but files are named too. Leave one out.")
    if (documents or field) and not files:
        raise UsageError("--documents and --field say how to read files. Name a file, or leave them out.")

    from charrnn_cli.generation.scoring import TextScore, score_text, scoring_device
    from charrnn_cli.generation.scoring_input import read_files, read_split_of
    from charrnn_cli.network.device import device_name
    from charrnn_cli.network.memory import memory_errors
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.runs.folders import run_to_sample
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console
    from charrnn_cli.terminal.scores import print_json, print_score

    run = run_to_sample(model)
    place = scoring_device(engine, gpu, cpu, device)
    loaded = load_checked_model(run, checkpoint)
    with memory_errors("Score a shorter text, or pass `cpu`."), WorkBar(new_console()) as bar:
        if files:
            typed = {"encoding": encoding, "documents": documents, "field": field}
            changes = {name: value for name, value in typed.items() if value is not None}
            text, text_name = read_files(files, loaded, unknown, per_line, **changes), ", ".join(files)
        else:
            split = split or "test"
            text = read_split_of(run, split, loaded.vocabulary, per_line)
            text_name = f"{split} split of {run.folder}"
        for event in score_text(loaded, text, place, exact, engine, threads):
            if isinstance(event, TextScore):
                score = event
            else:
                bar.show("scoring", event, 1.0)
    if as_json:
        print_json(run, loaded.summary.step, text_name, exact, score, per_line)
    else:
        print_score(run, loaded.summary.step, text_name, device_name(place), score, per_line)
