"""The score of a text as output: for a person, or as a JSON record."""

import dataclasses
from typing import TYPE_CHECKING

import typer

from charrnn_cli.terminal.console import aligned, new_console, say
from charrnn_cli.terminal.records import print_record
from charrnn_cli.wording import quantity, visible

if TYPE_CHECKING:
    from charrnn_cli.generation.model import Model
    from charrnn_cli.generation.results import LineScore, TextScore


def print_json(model: "Model", text: str, exact: bool, score: "TextScore", per_line: bool) -> None:
    """Prints one JSON object; its `lines` are null unless each line was asked for."""
    step = model.stored.summary.step
    record = {"model": model.run.name, "step": step, "text": text, "exact": exact, **dataclasses.asdict(score)}
    del record["scores"]  # of each token, which are many
    if not per_line:
        record["lines"] = None
    print_record(record)


def print_score(model: "Model", text: str, score: "TextScore", per_line: bool) -> None:
    """Prints the score of the text; with `per_line` it goes to stderr, and stdout has the lines that are not blank."""
    where = "bundled" if model.run.bundled else model.run.folder
    adapted = ", adapted to the text" if score.adapted else ""
    name = f"{model.run.name} ({where}), step {model.stored.summary.step:,}{adapted}"
    summary = summary_in_words(name, text, score)
    if not per_line:
        typer.echo(summary)
        return
    for line in score.lines:
        if line.text.strip():
            typer.echo(line_in_words(line))
    say(new_console(), summary)


def line_in_words(line: "LineScore") -> str:
    """Bits per character, perplexity, line number and line in columns."""
    return f"{line.bits_per_character:7.3f}  {line.perplexity:10,.2f}  {line.line:6}  {visible(line.text)}"


def summary_in_words(model: str, text: str, score: "TextScore") -> str:
    """The score of a whole text in lines."""
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
            ("time", f"{score.seconds:.1f} s, {rate:,.0f} tokens/s by {score.engine} on the {score.device}"),
        ]
    )
