"""charrnn info: one run or model whole."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from charrnn_cli.runs.describe import Description
    from charrnn_cli.runs.folders import Run
    from charrnn_cli.runs.weights import Summary


def info(
    name: Annotated[
        str | None, typer.Argument(help="A run, a bundled model, or a folder.  [default: the one that sample takes]")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check every file: checksums, sizes, ids. Exit code 1 where one is damaged."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Show a run or model whole.

    Its text, its settings, and every checkpoint with its loss.

    \b
    charrnn info
    charrnn info anna --json
    charrnn info anna --verify
    """
    from charrnn_cli.runs.describe import describe
    from charrnn_cli.runs.folders import find_run, run_to_sample
    from charrnn_cli.terminal.console import aligned

    if verify:
        _verify(run_to_sample(None) if name is None else find_run(name), as_json)
        return
    one = describe(run_to_sample(None) if name is None else find_run(name))
    if as_json:
        typer.echo(json.dumps(one.record(), ensure_ascii=False))
        return
    typer.echo(aligned(_facts(one)))
    if one.checkpoints:
        header = ("checkpoint", "epoch", "loss", "valid loss", "when", "")
        typer.echo("\n" + aligned([header, *(_checkpoint(summary, one) for summary in one.checkpoints)]))


def _verify(run: "Run", as_json: bool) -> None:
    """Says of every file whether it is whole. Exits with 1 where one is not."""
    from charrnn_cli.network.weights import load_checked_model
    from charrnn_cli.runs.verify import verify
    from charrnn_cli.wording import visible

    damaged = 0
    for found in verify(run, load_checked_model):
        damaged += found.problem is not None
        if as_json:
            typer.echo(json.dumps({"path": str(found.path), "problem": found.problem}, ensure_ascii=False))
        else:
            typer.echo(visible(f"{'damaged' if found.problem else 'whole  '}  {found.problem or found.path}"))
    if damaged:
        raise typer.Exit(1)


def _facts(one: "Description") -> list[tuple[str, str]]:
    from charrnn_cli.wording import duration, network_shape

    facts = [
        ("name", one.run.name),
        ("folder", f"{one.run.folder}{' (bundled)' if one.run.bundled else ''}"),
        ("level", f"{one.vocabulary.level}, {len(one.vocabulary)} tokens"),
    ]
    if one.corpus:
        facts.append(("text", ", ".join(one.corpus.files)))
        facts += [(split, f"{tokens:,} tokens") for split, tokens in one.corpus.tokens.items()]
        facts.append(("SHA-256", one.corpus.sha256))
    if one.config and one.parameters:
        facts.append(("network", f"{network_shape(one.config.model)}, {one.parameters:,} parameters"))
        facts += _settings(one.config.model)
        facts.append(("preset", one.config.preset))
        facts += _settings(one.config.training)
        facts.append(("device", one.config.device))
        facts.append(("made by", ", ".join(f"{name} {version}" for name, version in one.config.versions.items())))
    if one.best:
        facts.append(("best step", f"{one.best.step:,}, epoch {one.best.epoch:g}, after {duration(one.best.seconds)}"))
        facts.append(("valid loss", _loss(one.best.valid_loss)))
    facts += [("damaged", message) for message in one.damaged]
    return facts


def _settings(settings: object) -> list[tuple[str, str]]:
    named = dataclasses.asdict(settings)  # type: ignore[call-overload]  # a frozen dataclass of ours
    return [(f"  {name.replace('_', '-')}", f"{value}") for name, value in named.items() if value is not None]


def _checkpoint(summary: "Summary", one: "Description") -> tuple[str, ...]:
    best = "best" if one.best is not None and summary.step == one.best.step else ""
    return (
        f"{summary.step:,}",
        f"{summary.epoch:.2f}",
        _loss(summary.train_loss),
        _loss(summary.valid_loss),
        summary.when.replace("T", " ")[:16],
        best,
    )


def _loss(loss: float | None) -> str:
    return "-" if loss is None else f"{loss:.4f}"
