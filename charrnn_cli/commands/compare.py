"""charrnn compare: what differs between runs, in settings and in result."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from charrnn_cli.runs.describe import Description


def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Runs, bundled models, or folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Show what differs between runs: in settings, and in result.

    \b
    charrnn compare small large
    charrnn compare novel anna --json
    """
    from charrnn_cli.errors import UsageError
    from charrnn_cli.runs.describe import describe
    from charrnn_cli.runs.folders import find_run
    from charrnn_cli.terminal.console import aligned

    if len(names) < 2:
        raise UsageError(f"compare takes two runs or more, and was given {names[0]} alone.")
    runs = [describe(find_run(name)) for name in names]
    differing = {
        name: values for name, values in _settings(runs).items() if any(value != values[0] for value in values)
    }
    results = _results(runs)
    if as_json:
        record = {"runs": [one.run.name for one in runs], "settings": differing, "results": results}
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    rows = [("", *(one.run.name for one in runs))]
    rows += [(name.replace("_", "-"), *map(_shown, values)) for name, values in differing.items()]
    rows += [tuple("" for _ in rows[0])]
    rows += [(name.replace("_", " "), *map(_shown, values)) for name, values in results.items()]
    typer.echo(aligned(rows))
    if note := _note(runs, results["valid_loss"]):
        typer.echo(f"\n{note}")


def _settings(runs: "list[Description]") -> dict[str, list[object]]:
    """What each run was told, and read; None where it has no such thing."""
    records = [one.record() for one in runs]
    told: list[dict[str, object]] = []
    for one, record in zip(runs, records, strict=True):
        config, corpus = record["config"] or {}, record["corpus"] or {}
        told.append(
            {
                "level": one.vocabulary.level,
                "vocabulary": len(one.vocabulary),
                "text": ", ".join(corpus["files"]) if corpus else None,
                "sha256": config.get("sha256") or corpus.get("sha256"),
                "preset": config.get("preset"),
                **config.get("model", {}),
                **config.get("training", {}),
                "device": config.get("device"),
                **config.get("versions", {}),
            }
        )
    return {
        name: [facts.get(name) for facts in told] for name in dict.fromkeys(name for facts in told for name in facts)
    }


def _results(runs: "list[Description]") -> dict[str, list[float | int | None]]:
    """What came out: the weights that `sample` uses, and what they cost."""
    results: dict[str, list[float | int | None]] = {
        "parameters": [one.parameters for one in runs],
        "valid_loss": [one.best.valid_loss if one.best else None for one in runs],
        "valid_bits_per_character": [one.valid_bits_per_character for one in runs],
    }
    for name in ("train_loss", "step", "epoch", "seconds"):
        results[name] = [getattr(one.best, name) if one.best else None for one in runs]
    return results


def _note(runs: "list[Description]", losses: list[float | int | None]) -> str | None:
    """Which run predicts best, or why their losses say nothing about that."""
    measured = [(loss, one.run.name) for loss, one in zip(losses, runs, strict=True) if loss is not None]
    if len(measured) < len(runs):
        return None
    if any(one.vocabulary.tokens != runs[0].vocabulary.tokens for one in runs):
        return "Their tokens differ, and so do the meanings of their losses: compare bits per character."
    if any(one.config and runs[0].config and one.config.sha256 != runs[0].config.sha256 for one in runs):
        return (
            "They learned different texts: to compare them, score both on one with charrnn evaluate --model RUN FILE."
        )
    (low, name), (second, other) = sorted(measured)[:2]
    return f"{name} has the lowest validation loss, {second - low:.4f} below {other}."


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.10g}" if value == round(value, 4) else f"{value:.4f}"
        case int():
            return f"{value:,}"
        case _:
            return f"{value}"[:40]
