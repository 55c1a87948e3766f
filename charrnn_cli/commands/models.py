"""charrnn models: what there is to write with."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from charrnn_cli.runs.describe import Description


def models(as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False) -> None:
    """List the runs of this folder and the bundled models.

    \b
    charrnn models
    charrnn models --json
    """
    from charrnn_cli.errors import CharrnnError
    from charrnn_cli.runs.describe import describe
    from charrnn_cli.runs.folders import all_runs, bundled_models
    from charrnn_cli.terminal.console import aligned

    rows: list[tuple[str, ...]] = []
    records = []
    for run in (*all_runs(), *bundled_models()):
        try:
            one = describe(run)
        except (CharrnnError, OSError) as error:  # one that is damaged does not hide the others
            rows.append((run.name, "", "damaged", "", "", "", "", str(run.folder)))
            records.append({"name": run.name, "folder": str(run.folder), "error": str(error)})
        else:
            rows.append(_row(one))
            records.append(one.record())
    if as_json:
        typer.echo(json.dumps(records, ensure_ascii=False))
    elif rows:
        header = ("name", "level", "network", "parameters", "step", "valid loss", "when", "where")
        typer.echo(aligned([header, *rows]))
    else:
        typer.echo("no run in this folder and no bundled model. Type: charrnn prepare FILE.txt")


def _row(one: "Description") -> tuple[str, ...]:
    from charrnn_cli.wording import network_shape

    where = "bundled" if one.run.bundled else str(one.run.folder)
    if one.config is None or one.best is None:
        return one.run.name, one.vocabulary.level, "not trained yet", "", "", "", "", where
    loss = "" if one.best.valid_loss is None else f"{one.best.valid_loss:.4f}"
    return (
        one.run.name,
        one.vocabulary.level,
        network_shape(one.config.model),
        f"{one.parameters:,}",
        f"{one.best.step:,}",
        loss,
        one.best.when[:10],
        where,
    )
