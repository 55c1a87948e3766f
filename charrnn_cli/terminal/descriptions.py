"""Runs, models and presets as tables for a person."""

import dataclasses
from collections.abc import Mapping, Sequence

from charrnn_cli.runs.comparison import Comparison
from charrnn_cli.runs.describe import DamagedRun, Description
from charrnn_cli.runs.verify import FileCheck
from charrnn_cli.runs.weights import Summary
from charrnn_cli.terminal.console import aligned
from charrnn_cli.training.presets import AUTO, AUTO_SOURCE, Preset
from charrnn_cli.wording import duration, network_shape, training_recipe, visible

MAX_VALUE = 40  # characters of a value in a comparison
Row = tuple[str, ...]


def models_table(models: Sequence[Description | DamagedRun]) -> str:
    """One line for each run or model."""
    header = ("name", "level", "network", "parameters", "step", "valid loss", "when", "where")
    return aligned([header, *map(_model_row, models)])


def description_text(description: Description) -> str:
    """Everything that is known about a run or model."""
    tables = [aligned(_facts(description))]
    if description.checkpoints:
        header = ("checkpoint", "epoch", "loss", "valid loss", "when", "")
        rows = [_checkpoint_row(summary, _names(summary, description)) for summary in description.checkpoints]
        tables.append(aligned([header, *rows]))
    return "\n\n".join(tables)


def check_line(check: FileCheck) -> str:
    """A file that was checked, and what is wrong with it."""
    return visible(f"damaged  {check.problem}" if check.problem else f"valid    {check.path}")


def comparison_text(comparison: Comparison) -> str:
    """A column for each run: the settings that differ, then the results; and a note."""
    rows: list[Row] = [("", *comparison.runs)]
    rows += [(name.replace("_", "-"), *map(_value, values)) for name, values in comparison.settings.items()]
    rows.append(tuple("" for _ in rows[0]))
    rows += [(name.replace("_", " "), *map(_value, values)) for name, values in comparison.results.items()]
    table = aligned(rows)
    return f"{table}\n\n{comparison.note}" if comparison.note else table


def presets_table(presets: Mapping[str, Preset]) -> str:
    """One line for each preset; the first one is auto."""
    rows = [("name", "levels", "network", "training", "source"), (AUTO, "all", "", "", AUTO_SOURCE)]
    for name, preset in presets.items():
        shape, recipe = network_shape(preset.model), training_recipe(preset.training)
        rows.append((name, ", ".join(preset.levels), shape, recipe, preset.source))
    return aligned(rows)


def _model_row(model: Description | DamagedRun) -> Row:
    where = "bundled" if model.run.bundled else str(model.run.folder)
    if isinstance(model, DamagedRun):
        return model.run.name, "", "damaged", "", "", "", "", where
    level = model.vocabulary.level
    if model.config is None or model.best is None:
        return model.run.name, level, "not trained yet", "", "", "", "", where
    loss = "" if model.best.valid_loss is None else f"{model.best.valid_loss:.4f}"
    shape, parameters = network_shape(model.config.model), f"{model.parameters:,}"
    return model.run.name, level, shape, parameters, f"{model.best.step:,}", loss, model.best.when[:10], where


def _facts(description: Description) -> list[Row]:
    run, config, best = description.run, description.config, description.best
    facts: list[Row] = [
        ("name", run.name),
        ("folder", f"{run.folder}{' (bundled)' if run.bundled else ''}"),
        ("level", f"{description.vocabulary.level}, {len(description.vocabulary)} tokens"),
    ]
    if description.corpus:
        facts.append(("text", ", ".join(description.corpus.files)))
        facts += [(split, f"{tokens:,} tokens") for split, tokens in description.corpus.tokens.items()]
        facts.append(("SHA-256", description.corpus.sha256))
    if config and description.parameters:
        facts.append(("network", f"{network_shape(config.model)}, {description.parameters:,} parameters"))
        facts += _settings(dataclasses.asdict(config.model))
        facts.append(("preset", config.preset))
        facts += _settings(dataclasses.asdict(config.training))
        facts.append(("device", config.device))
        facts.append(("made by", ", ".join(f"{name} {version}" for name, version in config.versions.items())))
    if best:
        facts.append(("best step", f"{best.step:,}, epoch {best.epoch:g}, after {duration(best.seconds)}"))
        bits = description.valid_bits_per_character
        per_character = "" if bits is None else f" nats per token, {bits:.4f} bits per character"
        facts.append(("valid loss", _loss(best.valid_loss) + per_character))
    return facts + [("damaged", message) for message in description.damaged]


def _settings(settings: Mapping[str, object]) -> list[Row]:
    return [(f"  {name.replace('_', '-')}", f"{value}") for name, value in settings.items() if value is not None]


def _names(summary: Summary, description: Description) -> str:
    """What `--checkpoint` calls a checkpoint besides its step."""
    steps = [saved.step for saved in description.checkpoints]
    best = description.best.step if description.best else None
    names = {"first": steps[0], "last": steps[-1], "best": best}
    return ", ".join(name for name, step in names.items() if step == summary.step)


def _checkpoint_row(summary: Summary, names: str) -> Row:
    return (
        f"{summary.step:,}",
        f"{summary.epoch:.2f}",
        _loss(summary.train_loss),
        _loss(summary.valid_loss),
        summary.when.replace("T", " ")[:16],
        names,
    )


def _loss(loss: float | None) -> str:
    return "-" if loss is None else f"{loss:.4f}"


def _value(value: object) -> str:
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
            return f"{value}"[:MAX_VALUE]
