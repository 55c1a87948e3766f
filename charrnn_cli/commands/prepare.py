"""charrnn prepare: text files to a run that can be trained."""

from typing import Annotated

import typer

from charrnn_cli.config import Level, PrepareSettings

DEFAULT = PrepareSettings()


def prepare(
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="Files, folders of .txt files, or - for stdin.")
    ],
    level: Annotated[
        Level, typer.Option(help="What a token is: a character, or a byte (any file, any language).")
    ] = DEFAULT.level,
    name: Annotated[str | None, typer.Option(help="The run's name.  [default: that of the first file]")] = None,
    encoding: Annotated[str, typer.Option(help="The files' encoding, such as cp1252 or utf-16.")] = DEFAULT.encoding,
    valid: Annotated[
        float, typer.Option(help="Share of the text held out to see how well it is learned.")
    ] = DEFAULT.valid,
    test: Annotated[
        float, typer.Option(help="Share of the text, its end, that training never looks at.")
    ] = DEFAULT.test,
    min_count: Annotated[
        int, typer.Option(help="Characters that occur less often become one unknown token.")
    ] = DEFAULT.min_count,
    force: Annotated[bool, typer.Option("--force", help="Replace a run of that name, its model included.")] = False,
) -> None:
    """Prepare a text: count its characters, number them, and split it.

    \b
    charrnn prepare anna.txt
    charrnn prepare poems/ letters.txt --name writing
    zcat logs.gz | charrnn prepare - --level byte --name logs
    """
    from charrnn_cli.display import BytesBar, aligned, new_console, say, size
    from charrnn_cli.preparation import Prepared
    from charrnn_cli.preparation import prepare as prepare_run
    from charrnn_cli.text.tokenizer import UNITS

    settings = PrepareSettings(level, encoding, valid, test, min_count)
    console = new_console()
    with BytesBar(console) as bar:
        for event in prepare_run(texts, settings, name, force):
            if isinstance(event, Prepared):
                prepared = event
            else:
                bar.show(event.doing, event.done, event.total)
    info, run = prepared.corpus, prepared.run
    if prepared.already:
        say(console, f"{run.folder} is prepared already, from the same text: nothing was changed.")
        say(console, f"Next: charrnn train {run.quoted}")
        return
    unit = UNITS[level]
    total = sum(info.tokens.values())
    rarest = "  ".join(f"{_shown(token)} {count:,}" for token, count in info.rarest)
    disk = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    pairs = [
        ("files", f"{len(info.files):,}"),
        (unit, f"{total:,}"),
        ("distinct", f"{info.distinct:,}"),
        ("train", f"{info.tokens['train']:,}"),
        ("valid", f"{info.tokens['valid']:,}"),
        ("test", f"{info.tokens['test']:,}"),
        ("rarest", rarest),
        ("on disk", f"{size(disk)} in {run.folder} ({info.dtype})"),
    ]
    if info.unknown:
        pairs.insert(3, ("unknown", f"{info.unknown:,} {unit} ({info.unknown / total:.3%}) became one unknown token"))
    say(console, aligned(pairs))
    say(console, f"Next: charrnn train {run.quoted}")


def _shown(token: str) -> str:
    return token if token.isprintable() and not token.isspace() else repr(token)[1:-1] if token != " " else "space"
