"""charrnn prepare: text files to a run that can be trained."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn_cli.commands.completion import complete_runs
from charrnn_cli.commands.options import with_settings
from charrnn_cli.config import DEVICE, OUTPUT, SPLITS, PrepareSettings

if TYPE_CHECKING:
    from charrnn_cli.runs.preparation import Prepared


@with_settings(PrepareSettings)
def prepare(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Text files, folders of them, or - for standard input."),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Training text, if the splits are separate files.", rich_help_panel=SPLITS),
    ] = None,
    valid_file: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Validation text, instead of a share of the text.", rich_help_panel=SPLITS),
    ] = None,
    test_file: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Test text, instead of a share of the text.", rich_help_panel=SPLITS),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run.  [default: the name of the first file]", rich_help_panel=OUTPUT),
    ] = None,
    append: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Add the text to this run, and keep its vocabulary and model.  [default: a new run]",
            rich_help_panel=OUTPUT,
            autocompletion=complete_runs,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a run of that name and its model.", rich_help_panel=OUTPUT)
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of processes, for words.  [default: one per core if the text is large]",
            rich_help_panel=DEVICE,
        ),
    ] = None,
    *,
    settings: dict[str, Any],
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

    wanted = PrepareSettings(**settings)
    if texts and train:
        raise UsageError("the training text is named twice, as TEXT and with --train: give it once.")
    if train and not valid_file:
        raise UsageError("--train needs a --valid-file beside it: training is watched on text that it never sees.")
    if not texts and not train:
        raise UsageError("there is no text to prepare. Name it: charrnn prepare FILE.txt")
    console = new_console()
    named, held_out = texts or train or [], (valid_file or (), test_file or ())
    if append is None:
        events = prepare_run(named, wanted, name, force, *held_out, workers)
    else:
        if name is not None or force or settings:
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
        say(console, _summary(prepared, wanted))
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
