"""charrnn sample: writes new text with a model."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn_cli.config import EngineName, SamplingSettings, Unknown

if TYPE_CHECKING:
    from rich.console import Console

    from charrnn_cli.generation.engine import Engine
    from charrnn_cli.runs.folders import Run
    from charrnn_cli.runs.models import Model
    from charrnn_cli.text.copies import Original
    from charrnn_cli.text.vocabulary import Vocabulary

DEFAULT = SamplingSettings()
LINE_TOKENS = 1000  # for each of --lines, where no --length is given
MOST = 1_000_000  # texts
LONG = 4096  # tokens of a prime that are worth a bar


def sample(
    prime: Annotated[
        str | None, typer.Option(help="The text that the model goes on from; part of the output. -: stdin.")
    ] = None,
    prime_file: Annotated[Path | None, typer.Option(help="The same from a file, of any length.")] = None,
    escapes: Annotated[
        bool,
        typer.Option("--escapes", help=r"Read \n, \t, \x41, \u00e9 in --prime, --stop, --ban ... as what they mean."),
    ] = False,
    unknown: Annotated[
        Unknown,
        typer.Option(help="What of the prime the model has never seen: name it, leave it out, or take the nearest."),
    ] = "error",
    no_echo: Annotated[bool, typer.Option("--no-echo", help="Leave the prime out of the output.")] = False,
    length: Annotated[
        int | None,
        typer.Option(
            help=f"Characters, bytes or words to write after the prime, at most.  [default: {DEFAULT.length}]",
            show_default=False,
        ),
    ] = None,
    lines: Annotated[int, typer.Option(help="Write so many lines; 0: as many as come.")] = DEFAULT.lines,
    until_line: Annotated[
        bool, typer.Option("--until-line", help="After --length, go on to the end of the line.")
    ] = DEFAULT.until_line,
    stop: Annotated[list[str] | None, typer.Option(help="End before this text. Can be given several times.")] = None,
    keep_stop: Annotated[bool, typer.Option("--keep-stop", help="End after the text of --stop.")] = DEFAULT.keep_stop,
    ban: Annotated[
        list[str] | None, typer.Option(help="Never write these characters, or words. Can be given several times.")
    ] = None,
    allow_only: Annotated[
        list[str] | None, typer.Option(help="Write these characters, or words, alone. Can be given several times.")
    ] = None,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Let a model write <unk> where it expects a word it does not know.")
    ] = DEFAULT.allow_unknown,
    repetition_penalty: Annotated[
        float, typer.Option(help="Above 1, make what was written lately less likely: fewer loops. 1: off.")
    ] = DEFAULT.repetition_penalty,
    repetition_window: Annotated[
        int, typer.Option(help="How many tokens back that looks.")
    ] = DEFAULT.repetition_window,
    temperature: Annotated[
        float,
        typer.Option(help="Higher is more daring, lower more careful; 0: always the likeliest."),
    ] = DEFAULT.temperature,
    top_n: Annotated[int, typer.Option(help="Draw among the so many likeliest only; 0: all.")] = DEFAULT.top_n,
    top_p: Annotated[
        float,
        typer.Option(
            help="Draw among the likeliest that together have this probability, so few words are invented; 1: all."
        ),
    ] = DEFAULT.top_p,
    min_p: Annotated[
        float, typer.Option(help="Leave out what is less likely than this share of the likeliest; 0: none.")
    ] = DEFAULT.min_p,
    seed: Annotated[int | None, typer.Option(help="The same seed writes the same text.  [default: a new one]")] = None,
    num: Annotated[int, typer.Option(help="Texts to write, side by side.")] = 1,
    best_of: Annotated[
        int | None, typer.Option(help="Write so many texts, and print the one (--num: those) likeliest per token.")
    ] = None,
    separator: Annotated[str, typer.Option(help="The line between two texts where stdout is no terminal.")] = "---",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each text, for programs.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write into this new file instead of stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --output.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="On a terminal, write control characters as they are, not as \\x1b.")
    ] = False,
    color: Annotated[
        Literal["none", "surprise"], typer.Option(help="On a terminal, tint what the model found unlikely.")
    ] = "none",
    check_copies: Annotated[
        bool, typer.Option("--check-copies", help="Say what of the text stands in the training text word for word.")
    ] = False,
    copies_from: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="The same in this text, for a model that comes without its own."),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Write in turns: you type, the model goes on.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="A run, a bundled model, or a folder.  [default: the run trained last, or anna]")
    ] = None,
    checkpoint: Annotated[
        int | None, typer.Option(metavar="STEP", help="An earlier checkpoint of the run: see how it learned.")
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="What computes it; onnx (8 bits, faster) where that is installed, else numpy.")
    ] = "auto",
    gpu: Annotated[bool, typer.Option("--gpu", help="Write on a CUDA GPU: thousands of texts at once.")] = False,
    device: Annotated[str | None, typer.Option(help="Any device that PyTorch knows: cpu, cuda:1, mps, xpu ...")] = None,
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

    settings = SamplingSettings(
        length=lines * LINE_TOKENS if lines > 0 and length is None else DEFAULT.length if length is None else length,
        temperature=temperature,
        top_n=top_n,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        repetition_window=repetition_window,
        ban=texts_of("--ban", ban or (), escapes),
        allow_only=texts_of("--allow-only", allow_only or (), escapes),
        allow_unknown=allow_unknown,
        stop=texts_of("--stop", stop or (), escapes),
        keep_stop=keep_stop,
        until_line=until_line,
        lines=lines,
    )
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
    from charrnn_cli.runs.models import load_model
    from charrnn_cli.terminal.samples import JsonOutput, TextOutput, out_stream

    keep_freed_memory()
    loaded = load_model(run, checkpoint)
    ids = read_prime(given, loaded.vocabulary, unknown)
    allowed_tokens(settings, loaded.vocabulary)  # an error that is told before any work
    for flag, texts in (("--ban", settings.ban), ("--allow-only", settings.allow_only)):
        if strange := unknown_tokens(texts, loaded.vocabulary):
            typer.echo(
                f"{flag}: the model does not know {', '.join(map(repr, strange))}, and never writes it", err=True
            )
    writing = load_engine(loaded, engine, gpu, device)
    tint = _tint() if color == "surprise" and output is None and not as_json else None
    typer.echo(_who(run, loaded, writing, seed), err=True)
    if interactive:
        from charrnn_cli.generation.conversation import Conversation
        from charrnn_cli.terminal.interactive import converse

        converse(Conversation(writing, loaded.vocabulary, settings, seed, unknown), given, tint)
        return
    original = _original(run, loaded.vocabulary, check_copies, copies_from)
    state = _read_prime(writing, ids)
    scored = as_json or best_of is not None or tint is not None
    events = generate(writing, loaded.vocabulary, ids, settings, seed, best_of or num, scored, state)
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
