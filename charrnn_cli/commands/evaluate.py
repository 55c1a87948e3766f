"""charrnn evaluate: how well a model predicts a text."""

from typing import Annotated, Any, Literal

import typer

from charrnn_cli.commands.options import (
    CheckpointOption,
    CpuOption,
    DeviceOption,
    DocumentsOption,
    EncodingOption,
    EngineOption,
    FieldOption,
    GpuOption,
    JsonOption,
    ModelOption,
    ThreadsOption,
    UnscorableOption,
)
from charrnn_cli.config import MODEL, OUTPUT, TEXT
from charrnn_cli.errors import UsageError


def evaluate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Texts to score; - is standard input.  [default: a split of the run]"),
    ] = None,
    split: Annotated[
        Literal["train", "valid", "test"] | None,
        typer.Option(help="The part of the run's own text to score.  [default: test]", rich_help_panel=TEXT),
    ] = None,
    encoding: EncodingOption = None,
    documents: DocumentsOption = None,
    field: FieldOption = None,
    unknown: UnscorableOption = "error",
    model: ModelOption = None,
    checkpoint: CheckpointOption = None,
    engine: EngineOption = "torch",
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Read the text in one pass: slower; the result differs by less than 0.001.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            help="Learn from the text while reading it, in one pass. The model on disk does not change.",
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
    per_token: Annotated[
        bool,
        typer.Option(
            "--per-token",
            help="Print surprisal, entropy and rank of each token, the first one too, as tab-separated values.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    per_word: Annotated[
        bool,
        typer.Option("--per-word", help="The same for each word, with its end.", rich_help_panel=OUTPUT),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Score a text with a model: loss, bits per character, perplexity.

    The model reads the whole text from start to end. Every token except the first is predicted once.

    \b
    charrnn evaluate
    charrnn evaluate --model anna chapter.txt
    charrnn evaluate --model anna --per-line letter.txt | sort -rn | head
    charrnn evaluate --model anna --per-word letter.txt > words.tsv
    """
    asked = [name for name, given in (("line", per_line), ("token", per_token), ("word", per_word)) if given]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(f'`per_{name}`' for name in asked)} are different outputs. Choose one.")
    from charrnn_cli.generation.evaluation import evaluate as score
    from charrnn_cli.generation.evaluation import surprisals
    from charrnn_cli.generation.model import load
    from charrnn_cli.machine import keep_freed_memory
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console
    from charrnn_cli.terminal.scores import print_json, print_score
    from charrnn_cli.terminal.surprisals import print_json_rows, print_table

    keep_freed_memory()
    loaded = load(model, checkpoint=checkpoint, engine=engine)
    settings: dict[str, Any] = {
        **{"split": split, "encoding": encoding, "documents": documents, "field": field, "unknown": unknown},
        **{"gpu": gpu, "cpu": cpu, "device": device, "threads": threads, "adapt": adapt},
    }
    if per_token or per_word:
        rows = surprisals(loaded, files or (), per_word=per_word, exact=exact, **settings)
        (print_json_rows if as_json else print_table)(rows)
        return
    with WorkBar(new_console()) as bar:
        scored = score(
            loaded,
            files or (),
            exact=exact,
            per_line=per_line,
            progress=lambda share: bar.show("scoring", share, 1.0),
            **settings,
        )
    text = ", ".join(files) if files else f"{split or 'test'} split of {loaded.run.folder}"
    if as_json:
        print_json(loaded, text, exact or adapt, scored, per_line)
    else:
        fitted = split == "valid" and loaded.stored.calibrated
        print_score(loaded, f"{text}, on which the model was calibrated" if fitted else text, scored, per_line)
