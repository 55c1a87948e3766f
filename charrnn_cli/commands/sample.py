"""charrnn sample: writes new text with a model."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn_cli.commands.flags import flag
from charrnn_cli.commands.options import (
    CheckpointOption,
    DeviceOption,
    EngineOption,
    GpuOption,
    ModelOption,
    with_settings,
)
from charrnn_cli.config import OUTPUT, PRIME, TEXTS, SamplingSettings, Unknown

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn_cli.generation.engine import Engine
    from charrnn_cli.runs.folders import Run
    from charrnn_cli.runs.models import Model
    from charrnn_cli.text.copies import Original
    from charrnn_cli.text.vocabulary import Vocabulary

LINE_TOKENS = 1000  # for each of --lines, where no --length is given
MOST = 1_000_000  # texts
LONG = 4096  # tokens of a prime that are worth a bar


@with_settings(SamplingSettings)
def sample(
    prime: Annotated[
        str | None,
        typer.Option(
            help="Text that the model continues; - reads standard input.  [default: none]", rich_help_panel=PRIME
        ),
    ] = None,
    prime_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read the prime from a file, of any length.", rich_help_panel=PRIME),
    ] = None,
    unknown: Annotated[
        Unknown,
        typer.Option(
            help="What to do with parts of the prime that the model does not know: report them, skip them, or use the "
            "closest known ones.",
            rich_help_panel=PRIME,
        ),
    ] = "error",
    escapes: Annotated[
        bool,
        typer.Option(
            "--escapes",
            help=r"Read \n, \t, \x41 and \u00e9 in --prime, --stop, --ban and --allow-only as characters.",
            rich_help_panel=PRIME,
        ),
    ] = False,
    no_echo: Annotated[
        bool, typer.Option("--no-echo", help="Leave the prime out of the output.", rich_help_panel=PRIME)
    ] = False,
    num: Annotated[int, typer.Option(help="Number of texts, written in parallel.", rich_help_panel=TEXTS)] = 1,
    best_of: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Write N texts and print only the likeliest per token, as many as --num says.  [default: --num]",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed writes the same text.  [default: random]", rich_help_panel=TEXTS),
    ] = None,
    separator: Annotated[
        str, typer.Option(help="Line between two texts, unless the output is a terminal.", rich_help_panel=OUTPUT)
    ] = "---",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per text, for programs.", rich_help_panel=OUTPUT)
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to a new file.  [default: standard output]", rich_help_panel=OUTPUT),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --output.", rich_help_panel=OUTPUT)
    ] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Send control characters to the terminal as they are, not as \\x1b.", rich_help_panel=OUTPUT
        ),
    ] = False,
    color: Annotated[
        Literal["none", "surprise"],
        typer.Option(help="On a terminal, color the text by how unlikely it is.", rich_help_panel=OUTPUT),
    ] = "none",
    check_copies: Annotated[
        bool,
        typer.Option(
            "--check-copies",
            help="Report passages that occur word for word in the training text.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    copies_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Look for copied passages in this text instead, for a model without its training text. Repeatable.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Write in turns: you type, the model continues.", rich_help_panel=OUTPUT),
    ] = False,
    model: ModelOption = None,
    checkpoint: CheckpointOption = None,
    engine: EngineOption = "auto",
    gpu: GpuOption = False,
    device: DeviceOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Write new text: to stdout as it is made, and nothing else.

    What may come next goes through filters in this order: --allow-only, --ban, --repetition-penalty, --temperature,
    --top-n, --top-p, --min-p; then one token is drawn from what they leave.

    \b
    charrnn sample --prime "Far"
    charrnn sample --model anna --length 2000 --temperature 0.8 --min-p 0.05 > chapter.txt
    charrnn sample --model shakespeare --prime "ROMEO:" --lines 8 --num 3
    charrnn sample --prime-file letter.txt --stop "Yours" --best-of 10
    charrnn sample --interactive
    """
    from charrnn_cli.errors import UsageError
    from charrnn_cli.generation.prime import texts_of, unescape
    from charrnn_cli.runs.folders import to_sample

    for name in ("ban", "allow_only", "stop"):
        settings[name] = texts_of(flag(name), settings.get(name, ()), escapes)
    if settings.get("lines", 0) > 0:
        settings.setdefault("length", settings["lines"] * LINE_TOKENS)
    sampling = SamplingSettings(**settings)
    if seed is None:
        seed = secrets.randbelow(2**32)
    elif seed < 0:
        raise UsageError(f"--seed must be 0 or more, and is {seed}.")
    if not 1 <= num <= MOST:
        raise UsageError(f"--num must be from 1 to {MOST:,}, and is {num}.")
    if best_of is not None and not best_of <= MOST:
        raise UsageError(f"--best-of must be {MOST:,} at most, and is {best_of}.")
    if best_of is not None and best_of < num:
        raise UsageError(f"--best-of {best_of} is fewer than the {num} to print (--num): give more.")
    if interactive and (num > 1 or best_of or as_json or output or prime == "-" or check_copies or copies_from):
        raise UsageError(
            "--interactive writes one text with a person in a terminal: leave out --num, --best-of, --json, --output, "
            "--prime -, --check-copies and --copies-from."
        )
    if output is not None:
        from charrnn_cli.terminal.samples import check_output

        check_output(output, force)
    given = _given(prime, prime_file)
    if escapes and prime not in (None, "-"):
        given = unescape("--prime", given)
    run = to_sample(model)
    from charrnn_cli.generation.engines import load_engine
    from charrnn_cli.generation.generate import generate, in_order, likeliest
    from charrnn_cli.generation.prime import read_prime
    from charrnn_cli.generation.sampling import allowed_tokens, unknown_tokens
    from charrnn_cli.machine import keep_freed_memory
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.terminal.samples import JsonOutput, TextOutput, out_stream

    keep_freed_memory()
    loaded = load_checked_model(run, checkpoint)
    ids = read_prime(given, loaded.vocabulary, unknown)
    allowed_tokens(sampling, loaded.vocabulary)  # an error that is told before any work
    for option, texts in (("--ban", sampling.ban), ("--allow-only", sampling.allow_only)):
        if strange := unknown_tokens(texts, loaded.vocabulary):
            typer.echo(
                f"{option}: the model does not know {', '.join(map(repr, strange))}, and never writes it", err=True
            )
    writing = load_engine(loaded, engine, gpu, device)
    tint = _tint() if color == "surprise" and output is None and not as_json else None
    typer.echo(_who(run, loaded, writing, seed), err=True)
    if interactive:
        from charrnn_cli.generation.conversation import Conversation
        from charrnn_cli.terminal.interactive import converse

        converse(Conversation(writing, loaded.vocabulary, sampling, seed, unknown), given, tint)
        return
    original = _original(run, loaded.vocabulary, check_copies, copies_from)
    state = _read_prime(writing, ids)
    scored = as_json or best_of is not None or tint is not None
    events = generate(writing, loaded.vocabulary, ids, sampling, seed, best_of or num, scored, state)
    with out_stream(output) as stream:
        out = (
            JsonOutput(stream, run.name, seed, original)
            if as_json
            else TextOutput(
                stream, unescape("--separator", separator) if escapes else separator, not no_echo, raw, tint, original
            )
        )
        for event in likeliest(events, num) if best_of else in_order(events):
            out.add(event)
        out.end()


def _tint() -> "Console | None":
    from charrnn_cli.terminal.colors import colour_console

    return colour_console()


def _given(prime: str | None, file: Path | None) -> str:
    """The prime as it is given."""
    from charrnn_cli.errors import TextError, UsageError, disk_errors

    if file is not None and prime is not None:
        raise UsageError("--prime and --prime-file are two primes: give one of them.")
    if file is None and prime != "-":
        return prime or ""
    if file is None or str(file) == "-":
        if sys.stdin is None:
            raise TextError("stdin is closed: there is no prime in it. Give one: --prime TEXT")
        data, name = sys.stdin.buffer.read(), "stdin"
    else:
        with disk_errors("read", file):
            data, name = file.read_bytes(), str(file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"{name} is no UTF-8 text: byte {error.start + 1:,} is 0x{data[error.start]:02x}.") from error


def _read_prime(engine: "Engine[Any]", ids: list[int]) -> Any:
    """The state after all of a prime but its last token, with a bar where that takes long."""
    from charrnn_cli.generation.generate import read

    if len(ids) < LONG:
        return read(engine, ids[:-1])
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console

    with WorkBar(new_console()) as bar:
        return read(engine, ids[:-1], lambda share: bar.show("reading the prime", share, 1.0))


def _original(run: "Run", vocabulary: "Vocabulary", wanted: bool, files: list[str] | None) -> "Original | None":
    """The text in which copies are looked for; None where they are not asked for."""
    if files:
        from charrnn_cli.text.copies import of_files

        return of_files(files, vocabulary.lowercase)
    if not wanted:
        return None
    if not run.prepared:
        from charrnn_cli.errors import RunError

        raise RunError(f"{run.name} comes without its text. Name the text to look in: --copies-from FILE.txt")
    from charrnn_cli.text.copies import of_split
    from charrnn_cli.text.corpus import Corpus

    return of_split(Corpus(run.corpus).split("train"), vocabulary)


def _who(run: "Run", model: "Model", engine: "Engine[Any]", seed: int) -> str:
    """Which model writes, and what computes it."""
    from charrnn_cli.wording import network

    summary = model.summary
    loss = "" if summary.valid_loss is None else f", validation loss {summary.valid_loss:.3f}"
    where = "bundled" if run.bundled else run.folder
    who = f"{run.name} ({where}): {network(model.settings)}, step {summary.step:,}{loss}"
    return f"{who}; {engine.name}; --seed {seed}"
