"""charrnn evaluate: how well a model predicts a text."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn_cli.config import EngineName, PrepareSettings

if TYPE_CHECKING:
    from charrnn_cli.generation.scoring import LineScore, TextScore
    from charrnn_cli.runs.folders import Run
    from charrnn_cli.text.scorable import Reading
    from charrnn_cli.text.vocabulary import Vocabulary

Split = Literal["train", "valid", "test"]


def evaluate(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="Text to score; - for stdin.  [default: a split]")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A run, a bundled model, or a folder.  [default: the run trained last, or anna]")
    ] = None,
    split: Annotated[Split | None, typer.Option(help="A part of the run's own text.  [default: test]")] = None,
    checkpoint: Annotated[int | None, typer.Option(metavar="STEP", help="An earlier checkpoint of the run.")] = None,
    per_line: Annotated[
        bool,
        typer.Option(
            "--per-line", help="Score each line that is not blank: bits per character, perplexity, number, line."
        ),
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Read the text in one pass: slower, and different by less than 0.001.")
    ] = False,
    unknown: Annotated[
        Literal["error", "skip"],
        typer.Option(help="What to do with what the model has never seen, where it knows no <unk>."),
    ] = "error",
    encoding: Annotated[
        str, typer.Option(help="The files' encoding, such as cp1252 or utf-16.")
    ] = PrepareSettings.encoding,
    engine: Annotated[
        EngineName, typer.Option(help="What computes it: torch, or what writes on a CPU, numpy or onnx (8 bits).")
    ] = "torch",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Demand a CUDA GPU.  [default: take one where there is one]")
    ] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Keep off the GPU.")] = False,
    device: Annotated[str | None, typer.Option(help="Any device that PyTorch knows: cpu, cuda:1, mps, xpu ...")] = None,
) -> None:
    """Score a text with a model: loss, bits per character, perplexity.

    The hidden state is carried through the whole text; every token but the first is predicted once.

    \b
    charrnn evaluate
    charrnn evaluate --model anna chapter.txt
    charrnn evaluate --model anna --per-line letter.txt | sort -rn | head
    """
    from charrnn_cli.errors import UsageError
    from charrnn_cli.runs.folders import to_sample

    run = to_sample(model)
    if files and split:
        raise UsageError(f"--split {split} is a part of the run's own text, and FILE is another: give one of them.")
    from charrnn_cli.generation.scoring import TextScore, score_text
    from charrnn_cli.network.device import device_name, pick_device
    from charrnn_cli.network.memory import memory_errors
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console, say

    stepping = engine in ("numpy", "onnx")
    if stepping and (gpu or device):
        asked = "--gpu" if gpu else f"--device {device}"
        raise UsageError(f"--engine {engine} computes on the CPU, whatever {asked} says: leave out one of them.")
    place = pick_device(gpu, cpu or stepping, device)
    loaded = load_checked_model(run, checkpoint)
    console = new_console()
    with memory_errors("Score a shorter text, or try --cpu."), WorkBar(console) as bar:
        if files:
            reading, what = _read(files, loaded.vocabulary, encoding, unknown, per_line), ", ".join(files)
        else:
            split = split or "test"
            reading, what = _read_split(run, split, loaded.vocabulary, per_line), f"{split} split of {run.folder}"
        for event in score_text(loaded, reading, place, exact, engine):
            if isinstance(event, TextScore):
                result = event
            else:
                bar.show("scoring", event, 1.0)
    step = loaded.summary.step
    if as_json:
        record = {"model": run.name, "step": step, "text": what, "exact": exact, **dataclasses.asdict(result)}
        typer.echo(json.dumps(record if per_line else {**record, "lines": None}, ensure_ascii=False))
        return
    for line in (line for line in result.lines if line.text.strip()):
        typer.echo(_line(line))
    where = "bundled" if run.bundled else run.folder
    summary = _summary(f"{run.name} ({where}), step {step:,}", what, device_name(place), result)
    if per_line:
        say(console, summary)
    else:
        typer.echo(summary)


def _read(files: list[str], vocabulary: "Vocabulary", encoding: str, unknown: str, by_line: bool) -> "Reading":
    import tempfile
    from pathlib import Path

    from charrnn_cli.text.scorable import read_text
    from charrnn_cli.text.sources import find_sources, text_decoder

    text_decoder(encoding)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as spool:
        sources = find_sources(files, Path(spool))
        return read_text(sources, vocabulary, encoding, unknown == "skip", by_line)


def _read_split(run: "Run", split: Split, vocabulary: "Vocabulary", by_line: bool) -> "Reading":
    from charrnn_cli.errors import RunError
    from charrnn_cli.text.corpus import Corpus
    from charrnn_cli.text.scorable import read_split

    if not run.prepared:
        raise RunError(
            f"{run.name} comes without its text, so it has no {split} split. Name a text: "
            f"charrnn evaluate --model {run.quoted} FILE.txt"
        )
    corpus = Corpus(run.corpus)
    ids = corpus.split(split)
    if not len(ids):
        raise RunError(
            f"{run.name} has no {split} split. Name another, or a text: "
            f"charrnn evaluate --model {run.quoted} --split train"
        )
    return read_split(ids, vocabulary, by_line, corpus.info.characters.get(split))


def _line(line: "LineScore") -> str:
    from charrnn_cli.wording import visible

    return f"{line.bits_per_character:7.3f}  {line.perplexity:10,.2f}  {line.line:6}  {visible(line.text)}"


def _summary(model: str, text: str, device: str, result: "TextScore") -> str:
    from charrnn_cli.terminal.console import aligned
    from charrnn_cli.wording import count

    rate = result.tokens / result.seconds
    return aligned(
        [
            ("model", model),
            ("text", text),
            ("loss", f"{result.loss:.4f} nats per token"),
            ("bits", f"{result.bits_per_character:.4f} per character"),
            ("perplexity", f"{result.perplexity:,.3f} per token"),
            ("tokens", f"{result.tokens:,} ({count(result.characters, 'characters')})"),
            ("unknown", f"{result.unknown:,}"),
            ("time", f"{result.seconds:.1f} s, {rate:,.0f} tokens/s by {result.engine} on the {device}"),
        ]
    )
