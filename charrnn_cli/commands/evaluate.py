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
    from charrnn_cli.generation.evaluation import evaluate as score
    from charrnn_cli.generation.model import load
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console
    from charrnn_cli.terminal.scores import print_json, print_score

    loaded = load(model, checkpoint=checkpoint, engine=engine)
    with WorkBar(new_console()) as bar:
        scored = score(
            loaded,
            files or (),
            split=split,
            encoding=encoding,
            documents=documents,
            field=field,
            unknown=unknown,
            exact=exact,
            gpu=gpu,
            cpu=cpu,
            device=device,
            threads=threads,
            per_line=per_line,
            progress=lambda share: bar.show("scoring", share, 1.0),
        )
    text = ", ".join(files) if files else f"{split or 'test'} split of {loaded.run.folder}"
    if as_json:
        print_json(loaded, text, exact, scored, per_line)
    else:
        print_score(loaded, text, scored, per_line)
