"""charrnn prepare: text files to a run that can be trained."""

from typing import Annotated, Any

import typer

from charrnn_cli.commands.completion import complete_runs
from charrnn_cli.commands.options import with_settings
from charrnn_cli.config import DEVICE, OUTPUT, SPLITS, TEXT, PrepareSettings


@with_settings(PrepareSettings)
def prepare(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Text files, folders of them, or - for standard input."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Read these files of folders too, such as '*.py'. Repeatable.  [default: only texts]",
            rich_help_panel=TEXT,
        ),
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
        bool, typer.Option("--force", help="Replace the run of that name, and its model.", rich_help_panel=OUTPUT)
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

    A folder with train.txt, valid.txt and test.txt (or NAME.train.txt and so on) is treated as already split.

    \b
    charrnn prepare anna.txt
    charrnn prepare play.txt --level word
    charrnn prepare ptb/ --level word --split-on whitespace
    charrnn prepare poems/ letters.txt --name writing
    charrnn prepare program/ --include '*.py'
    charrnn prepare names.txt --documents line
    charrnn prepare reviews.jsonl.gz --field body --documents record
    charrnn prepare chapter9.txt --append anna
    """
    from charrnn_cli.errors import UsageError
    from charrnn_cli.runs.preparation import Prepared
    from charrnn_cli.runs.preparation import prepare as prepare_texts
    from charrnn_cli.terminal.bars import WorkBar
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.terminal.summaries import preparation_summary, skipped_in_words
    from charrnn_cli.text.corpus_writer import PassProgress

    if texts and train:
        raise UsageError("the training text is named twice, as TEXT and with --train. Name it once.")
    if train and not valid_file:
        raise UsageError(
            "--train needs a --valid-file, because training measures progress on a text that it does not learn from."
        )
    console = new_console()
    events: list[PassProgress | Prepared] = []
    with WorkBar(console, in_bytes=True) as bar:

        def report(event: PassProgress | Prepared) -> None:
            events.append(event)
            if isinstance(event, PassProgress):
                bar.show(event.doing, event.done, event.total)

        prepare_texts(
            texts or train or (),
            name=name,
            append=append,
            force=force,
            valid_file=valid_file or (),
            test_file=test_file or (),
            include=include or (),
            workers=workers,
            report=report,
            **settings,
        )
    prepared = events[-1]
    assert isinstance(prepared, Prepared)
    if prepared.unchanged:
        say(console, f"{prepared.run.folder} is already prepared from the same text. Nothing was changed.")
    else:
        say(console, preparation_summary(prepared))
    if prepared.skipped:
        say(console, skipped_in_words(prepared.skipped))
    if prepared.has_clauses:
        say(
            console,
            "Warning: the text has no spaces between words, so whole clauses become words. For a better model, prepare "
            "it again with --level char --force.",
        )
    if prepared.is_sorted:
        say(
            console,
            "Warning: the documents are in alphabetical order, and the last ones are held out for validation and test. "
            "For a better model, shuffle them first.",
        )
    say(console, f"Next: charrnn train {prepared.run.quoted}")
