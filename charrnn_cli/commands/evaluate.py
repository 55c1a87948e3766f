"""charrnn evaluate: how well a model predicts a text."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn_cli.commands.options import CheckpointOption, CpuOption, DeviceOption, GpuOption, JsonOption, ModelOption
from charrnn_cli.config import MODEL, OUTPUT, TEXT, Documents, EngineName

if TYPE_CHECKING:
    from charrnn_cli.generation.scoring import LineScore, TextScore

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
    from charrnn_cli.runs.folders import run_to_sample

    run = run_to_sample(model)
    if files and split:
        raise UsageError(f"--split {split} is a part of the run's own text, but there are files too. Leave one out.")

    typed = {"encoding": encoding, "documents": documents, "field": field}
    settings = {name: value for name, value in typed.items() if value is not None}
    if (documents or field) and not files:
        raise UsageError("--documents and --field say how to read files. Name a file, or leave them out.")

    from charrnn_cli.generation.scoring import TextScore, score_text, scoring_device
    from charrnn_cli.generation.scoring_input import read_files, read_split_of
    from charrnn_cli.network.device import device_name
    from charrnn_cli.network.memory import memory_errors
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console, say

    place = scoring_device(engine, gpu, cpu, device)
    loaded = load_checked_model(run, checkpoint)
    console = new_console()
    with memory_errors("Score a shorter text, or pass `cpu`."), WorkBar(console) as bar:
        if files:
            reading = read_files(files, loaded, unknown, per_line, **settings)
            text = ", ".join(files)
        else:
            split = split or "test"
            reading, text = read_split_of(run, split, loaded.vocabulary, per_line), f"{split} split of {run.folder}"
        for event in score_text(loaded, reading, place, exact, engine):
            if isinstance(event, TextScore):
                score = event
            else:
                bar.show("scoring", event, 1.0)
    step = loaded.summary.step
    if as_json:
        record = {"model": run.name, "step": step, "text": text, "exact": exact, **dataclasses.asdict(score)}
        typer.echo(json.dumps(record if per_line else {**record, "lines": None}, ensure_ascii=False))
        return
    for line in score.lines:
        if line.text.strip():
            typer.echo(_line_in_words(line))
    where = "bundled" if run.bundled else run.folder
    summary = _score_in_words(f"{run.name} ({where}), step {step:,}", text, device_name(place), score)
    if per_line:
        say(console, summary)
    else:
        typer.echo(summary)


def _line_in_words(line: "LineScore") -> str:
    from charrnn_cli.wording import visible

    return f"{line.bits_per_character:7.3f}  {line.perplexity:10,.2f}  {line.line:6}  {visible(line.text)}"


def _score_in_words(model: str, text: str, device: str, score: "TextScore") -> str:
    from charrnn_cli.terminal.console import aligned
    from charrnn_cli.wording import quantity

    rate = score.tokens / score.seconds
    return aligned(
        [
            ("model", model),
            ("text", text),
            ("loss", f"{score.loss:.4f} nats per token"),
            ("bits", f"{score.bits_per_character:.4f} per character"),
            ("perplexity", f"{score.perplexity:,.3f} per token"),
            ("tokens", f"{score.tokens:,} ({quantity(score.characters, 'characters')})"),
            ("unknown", f"{score.unknown:,}"),
            ("time", f"{score.seconds:.1f} s, {rate:,.0f} tokens/s by {score.engine} on the {device}"),
        ]
    )
