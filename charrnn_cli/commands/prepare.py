"""charrnn prepare: text files to a run that can be trained."""

from typing import TYPE_CHECKING, Annotated

import typer

from charrnn_cli.config import HELD_OUT, HELD_OUT_TOKENS, Documents, Level, PrepareSettings, SplitOn

if TYPE_CHECKING:
    from charrnn_cli.runs.preparation import Prepared

DEFAULT = PrepareSettings()
SHARE = f"[default: {HELD_OUT}, at most {HELD_OUT_TOKENS:,} tokens]"


def prepare(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Files (also .gz, .zst, .zip), folders of .txt, or - for stdin."),
    ] = None,
    level: Annotated[
        Level, typer.Option(help="What a token is: a character, a byte (any file), or a word or punctuation mark.")
    ] = DEFAULT.level,
    name: Annotated[str | None, typer.Option(help="The run's name.  [default: that of the first file]")] = None,
    encoding: Annotated[str, typer.Option(help="The files' encoding, such as cp1252 or utf-16.")] = DEFAULT.encoding,
    valid: Annotated[
        float | None, typer.Option(help=f"Share of the text held out to see how well it is learned.  {SHARE}")
    ] = DEFAULT.valid,
    test: Annotated[
        float | None, typer.Option(help=f"Share of the text, its end, that training never looks at.  {SHARE}")
    ] = DEFAULT.test,
    train: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="The training text, where held-out text has its own files.")
    ] = None,
    valid_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Held-out text, instead of a share of the text.")
    ] = None,
    test_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Text that training never looks at, instead of a share.")
    ] = None,
    vocab_size: Annotated[
        int | None,
        typer.Option(help="Keep the so many most frequent tokens; others become <unk>.  [default: all]"),
    ] = None,
    min_count: Annotated[int, typer.Option(help="Tokens that occur less often become <unk>.")] = DEFAULT.min_count,
    split_on: Annotated[
        SplitOn, typer.Option(help="Where words end: at punctuation too, or at white space alone (tokenised text).")
    ] = DEFAULT.split_on,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Forget the case of letters: a smaller vocabulary, as in the tutorials.")
    ] = DEFAULT.lowercase,
    documents: Annotated[
        Documents | None,
        typer.Option(help="Learn where each file, line or record (of JSON Lines) ends, and write such documents."),
    ] = DEFAULT.documents,
    field: Annotated[
        str | None, typer.Option(help="Read JSON Lines, and of each record this field.  [default: text, of .jsonl]")
    ] = DEFAULT.field,
    append: Annotated[
        str | None, typer.Option(metavar="RUN", help="Add the text to this run; its vocabulary and its model stay.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that share the work on words.  [default: by cores and text]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run of that name, its model included.")] = False,
) -> None:
    """Prepare a text: count its tokens, number them, and split it.

    A folder with train.txt, valid.txt and test.txt (or NAME.train.txt and so on) is taken as split already.

    \b
    charrnn prepare anna.txt
    charrnn prepare play.txt --level word
    charrnn prepare ptb/ --level word --split-on whitespace
    charrnn prepare poems/ letters.txt --name writing
    charrnn prepare names.txt --documents line
    charrnn prepare reviews.jsonl.gz --field body --documents record
    charrnn prepare chapter9.txt --append anna
    """
    from charrnn_cli.errors import UsageError
    from charrnn_cli.runs.preparation import Prepared
    from charrnn_cli.runs.preparation import append as append_to
    from charrnn_cli.runs.preparation import prepare as prepare_run
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console, say

    settings = PrepareSettings(
        level, encoding, valid, test, min_count, vocab_size, split_on, lowercase, documents, field
    )
    if texts and train:
        raise UsageError("the training text is named twice, as TEXT and with --train: give it once.")
    if train and not valid_file:
        raise UsageError("--train needs a --valid-file beside it: training is watched on text that it never sees.")
    if not texts and not train:
        raise UsageError("there is no text to prepare. Name it: charrnn prepare FILE.txt")
    console = new_console()
    named, held_out = texts or train or [], (valid_file or (), test_file or ())
    if append is None:
        events = prepare_run(named, settings, name, force, *held_out, workers)
    else:
        if name is not None or force or settings != DEFAULT:
            raise UsageError(
                f"--append {append} keeps the name and the settings of that run: leave out all but the texts."
            )
        events = append_to(named, append, *held_out, workers)
    with WorkBar(console, in_bytes=True) as bar:
        for event in events:
            if isinstance(event, Prepared):
                prepared = event
            else:
                bar.show(event.doing, event.done, event.total)
    run = prepared.run
    if prepared.already:
        say(console, f"{run.folder} is prepared already, from the same text: nothing was changed.")
    else:
        say(console, _summary(prepared, settings))
    say(console, f"Next: charrnn train {run.quoted}")


def _summary(prepared: "Prepared", settings: PrepareSettings) -> str:
    """What was found and written."""
    from charrnn_cli.terminal.console import aligned
    from charrnn_cli.text.tokenizer import UNITS
    from charrnn_cli.wording import size

    info, run, V, wanted = prepared.corpus, prepared.run, len(prepared.vocabulary), settings.vocab_size
    unit, total = UNITS[settings.level], sum(info.tokens.values())
    disk = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    pairs = [("files", f"{len(info.files):,}"), (unit, f"{total:,}"), ("distinct", f"{info.distinct:,}")]
    if wanted is not None and wanted > info.distinct:
        kept = "" if settings.min_count > 1 else ", all are kept"
        pairs.append(("vocabulary", f"{V:,}: the text has no {wanted:,} different {unit}{kept}"))
    elif info.distinct != V and settings.level != "byte":
        pairs.append(("vocabulary", f"{V:,}"))
    if prepared.vocabulary.unknown is not None:
        pairs.append(("unknown", f"{info.unknown:,} {unit} ({info.unknown / total:.3%}) are <unk>"))
    pairs += [(split, f"{tokens:,}") for split, tokens in info.tokens.items()]
    pairs.append(("rarest", "  ".join(f"{_shown(token)} {count:,}" for token, count in info.rarest)))
    pairs.append(("on disk", f"{size(disk)} in {run.folder} ({info.dtype})"))
    return aligned(pairs)


def _shown(token: str) -> str:
    return token if token.isprintable() and not token.isspace() else repr(token)[1:-1] if token != " " else "space"
