"""charrnn sample: writes new text with a model."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn_cli.commands.flags import as_flags, flag
from charrnn_cli.commands.options import (
    CheckpointOption,
    DeviceOption,
    EngineOption,
    GpuOption,
    ModelOption,
    ThreadsOption,
    with_settings,
)
from charrnn_cli.config import OUTPUT, PRIME, TEXTS, SamplingSettings, SelectionSettings, Unknown
from charrnn_cli.setting import defaults

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn_cli.generation.model import Model
    from charrnn_cli.generation.prime import EncodedPrime

IN_TURNS = (
    "--interactive writes one text in turns, in a terminal. Leave out --num, --best-of, --json, --output, --prime -, "
    "--check-copies, --copies-from, --temperatures, and the options that refuse texts."
)
NO_RECORDS = "--logprobs adds to the records of --json. Add --json, or leave out --logprobs."
TWO_PRIMES = "--prime and --prime-file both give a prime. Leave one of them out."
NO_PRIME = "--adapt learns from the prime. Add --prime-file or --prime, or leave out --adapt."
TWO_TEMPERATURES = "--temperature and --temperatures both give temperatures. Leave one of them out."


@with_settings(SamplingSettings, SelectionSettings)
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
            help=r"Read escapes such as \n, \x41 and \u00e9 in --prime, --separator, --stop, --ban, --allow-only, "
            "--starts-with and --contains.",
            rich_help_panel=PRIME,
        ),
    ] = False,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            help="Learn from the prime before writing, for a prime of some pages. The model on disk does not change.",
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
    temperatures: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Write --num texts with each of several temperatures, such as 0.5,0.8,1.1, and label them.",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed writes the same text.  [default: random]", rich_help_panel=TEXTS),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(
            help="Line between two texts, unless the output is a terminal.  [default: ---, none for a list]",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per text, for programs.", rich_help_panel=OUTPUT)
    ] = False,
    logprobs: Annotated[
        bool,
        typer.Option("--logprobs", help="Add every token and its log-probability to --json.", rich_help_panel=OUTPUT),
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
            help="Look in this text instead, for a model without its training text: for the texts of --novel, else for "
            "copied passages. Repeatable.",
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
    threads: ThreadsOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Write new text with a model. Only the text goes to stdout, as it is written.

    Filters limit the choice of each token, in this order: --allow-only, --ban, --repetition-penalty, --temperature,
    --top-n, --top-p, --min-p. Then one token is drawn from those that are left.

    \b
    charrnn sample --prime "Far"
    charrnn sample --model anna --length 2000 --temperature 0.8 --min-p 0.05 > chapter.txt
    charrnn sample --model shakespeare --prime "ROMEO:" --lines 8 --num 3
    charrnn sample --prime-file letter.txt --stop "Yours" --best-of 10
    charrnn sample --model names --num 50 --novel --unique --max-length 12
    charrnn sample --interactive
    """
    from charrnn_cli.generation.arguments import check_texts, random_seed, sampling_settings
    from charrnn_cli.generation.escapes import unescape
    from charrnn_cli.generation.selection import split_settings

    lists_texts = num > 1 or best_of or as_json or output or prime == "-" or check_copies or copies_from or temperatures
    conflicts: dict[str, object] = {
        IN_TURNS: interactive and (lists_texts or any(map(settings.get, defaults(SelectionSettings)))),
        NO_RECORDS: logprobs and not as_json,
        TWO_PRIMES: prime is not None and prime_file is not None,
        NO_PRIME: adapt and not prime and prime_file is None,
        TWO_TEMPERATURES: temperatures is not None and "temperature" in settings,
    }
    _check(conflicts)
    file = "-" if prime == "-" else prime_file
    if escapes:
        prime = prime and unescape("prime", prime)
        separator = separator and unescape("separator", separator)
        settings.update(_unescaped(settings))
    writing, conditions = split_settings(settings)
    sampling = sampling_settings(writing)
    steps = [sampling] if temperatures is None else _steps(sampling, temperatures)
    check_texts(num, best_of, seed)
    seed = random_seed() if seed is None else seed
    if output is not None:
        from charrnn_cli.terminal.samples import check_output

        check_output(output, force)

    from charrnn_cli.generation.model import load
    from charrnn_cli.machine import keep_freed_memory
    from charrnn_cli.terminal.samples import JsonOutput, Output, TextOutput, out_stream, print_texts, reading_bar

    keep_freed_memory()
    loaded = load(model, checkpoint=checkpoint, engine=engine, gpu=gpu, device=device, threads=threads)
    text = loaded.text_of(file) if file is not None else prime or ""
    encoded = loaded.encode(text, unknown)
    loaded = _adapted(loaded, encoded) if adapt else loaded
    for name, tokens in loaded.check(sampling).items():
        unknown_names = ", ".join(map(repr, tokens))
        typer.echo(f"{flag(name)}: the model does not know {unknown_names} and never writes it", err=True)
    colors = None if color == "none" else _color_console(plain=output is not None or as_json)
    typer.echo(f"{loaded.description}; --seed {seed}", err=True)
    if interactive:
        from charrnn_cli.generation.conversation import Conversation
        from charrnn_cli.terminal.interactive import converse

        converse(Conversation(loaded, sampling, seed, unknown), text, colors)
        return
    selection = loaded.selection(conditions, copies_from)
    original = loaded.original(copies_from) if check_copies or (copies_from and not conditions.novel) else None
    with reading_bar(len(encoded.ids)) as progress:
        state = loaded.read_prime(encoded, progress=progress)
    if separator is None and not loaded.writes_lines:
        separator = "---"
    scored, shown = as_json or colors is not None, loaded.shown_prime(encoded, sampling)
    write = partial(loaded.write, state, seed=seed, num=num, best_of=best_of, scored=scored, prime=shown)
    with out_stream(output) as stream:
        out: Output = TextOutput(stream, separator, not no_echo, raw, colors, original)
        if as_json:
            out = JsonOutput(stream, loaded.run.name, seed, original, logprobs)
        labels = [step.temperature if temperatures else None for step in steps]
        print_texts(zip(labels, (write(step, selection) for step in steps), strict=True), out)
    if selection is not None:
        selection.check()
        typer.echo(as_flags(selection.summary), err=True)


def _check(conflicts: dict[str, object]) -> None:
    """Raises UsageError with the first message that applies."""
    from charrnn_cli.errors import UsageError

    for message, applies in conflicts.items():
        if applies:
            raise UsageError(message)


def _unescaped(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that may have escapes, with the characters in their place. Raises UsageError."""
    from charrnn_cli.generation.escapes import unescape

    lists = {name: settings[name] for name in ("ban", "allow_only", "stop", "contains") if name in settings}
    found: dict[str, Any] = {name: [unescape(name, text) for text in texts] for name, texts in lists.items()}
    if "starts_with" in settings:
        found["starts_with"] = unescape("starts_with", settings["starts_with"])
    return found


def _adapted(model: "Model", prime: "EncodedPrime") -> "Model":
    """A copy of the model that has learned from the prime. Says so on stderr."""
    from charrnn_cli.generation.adapting import adapt
    from charrnn_cli.terminal.samples import reading_bar

    started = time.perf_counter()
    with reading_bar(len(prime.ids), "learning from the prime") as progress:
        model = adapt(model, prime, progress=progress)
    seconds = time.perf_counter() - started
    typer.echo(f"learned from the {len(prime.ids):,} tokens of the prime in {seconds:.1f} s", err=True)
    return model


def _steps(sampling: SamplingSettings, temperatures: str) -> list[SamplingSettings]:
    """The settings for each of several temperatures. Raises UsageError."""
    from charrnn_cli.errors import UsageError
    from charrnn_cli.generation.sampling import ladder

    try:
        numbers = [float(number) for number in temperatures.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--temperatures must be numbers with commas between them, such as 0.5,0.8,1.1, got {temperatures!r}."
        ) from error
    return ladder(sampling, numbers)


def _color_console(plain: bool) -> "Console | None":
    """A terminal with colors. If the output is `plain`, or no such terminal, says so."""
    from charrnn_cli.terminal.colors import color_console

    colors = None if plain else color_console()
    if colors is None:
        typer.echo("--color surprise: the output is not a terminal with colors, so the text stays plain", err=True)
    return colors
