"""Runs, models and presets as tables for a person."""

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from charrnn_cli.runs.comparison import Comparison
from charrnn_cli.runs.describe import DamagedRun, Description
from charrnn_cli.runs.verify import FileCheck
from charrnn_cli.runs.weights import Summary
from charrnn_cli.terminal.tables import facts_table, fitted, missing_note, side_by_side
from charrnn_cli.training.presets import AUTO, AUTO_SOURCE, Preset
from charrnn_cli.wording import duration, network_shape, training_recipe, visible

CHECKSUM_FACT = "SHA-256"
HASH_DIGITS = 12  # of a SHA-256 in a comparison
MODEL_COLUMNS = ("name", "level", "network", "parameters", "step", "valid loss", "when", "where")
MODEL_IMPORTANCE = ("name", "network", "valid loss", "level", "step", "where", "parameters", "when")
CHECKPOINT_COLUMNS = ("checkpoint", "epoch", "loss", "valid loss", "when", "name")
CHECKPOINT_IMPORTANCE = ("checkpoint", "name", "valid loss", "loss", "epoch", "when")
PRESET_COLUMNS = ("name", "levels", "network", "training", "source")
PRESET_IMPORTANCE = ("name", "network", "training", "levels", "source")
Row = tuple[str, ...]


def models_table(models: Sequence[Description | DamagedRun], width: int | None = None) -> str:
    """One line for each run or model, with the columns that fit into `width`."""
    return fitted([MODEL_COLUMNS, *map(_model_row, models)], MODEL_IMPORTANCE, width)


def description_text(description: Description, width: int | None = None) -> str:
    """Everything that is known about a run or model, as far as it fits into `width`."""
    tables = [_facts_text(_facts(description), width)]
    if description.checkpoints:
        rows = [_checkpoint_row(summary, _names(summary, description)) for summary in description.checkpoints]
        tables.append(fitted([CHECKPOINT_COLUMNS, *rows], CHECKPOINT_IMPORTANCE, width))
    return "\n\n".join(tables)


def _facts_text(facts: Sequence[Row], width: int | None) -> str:
    """Names and values; without the SHA-256 if the terminal is too narrow for it."""
    table = facts_table(facts, width)
    checksum = [line for line in table.splitlines() if line.startswith(CHECKSUM_FACT)]
    if width is None or not checksum or cell_len(checksum[0]) <= width:
        return table
    table = facts_table([row for row in facts if row[0] != CHECKSUM_FACT], width)
    return f"{table}\n{missing_note([CHECKSUM_FACT], width)}"


def check_line(check: FileCheck) -> str:
    """A file that was checked, and what is wrong with it."""
    return visible(f"damaged  {check.problem}" if check.problem else f"valid    {check.path}")


def comparison_text(comparison: Comparison, width: int | None = None) -> str:
    """A column for each run: the settings that differ, then the results; and a note.

    If the columns do not fit into `width`, they continue in a table below.
    """
    rows: list[Row] = [("", *comparison.runs)]
    rows += [(name.replace("_", "-"), *_values(name, values)) for name, values in comparison.settings.items()]
    rows.append(tuple("" for _ in rows[0]))
    rows += [(name.replace("_", " "), *_values(name, values)) for name, values in comparison.results.items()]
    table = side_by_side(rows, width)
    note = comparison.note if width is None else textwrap.fill(comparison.note or "", width)
    return f"{table}\n\n{note}" if note else table


def presets_table(presets: Mapping[str, Preset], width: int | None = None) -> str:
    """One line for each preset, with the columns that fit into `width`; the first one is auto."""
    rows: list[Row] = [PRESET_COLUMNS, (AUTO, "all", "", "", AUTO_SOURCE)]
    for name, preset in presets.items():
        shape, recipe = network_shape(preset.model), training_recipe(preset.training)
        rows.append((name, ", ".join(preset.levels), shape, recipe, preset.source))
    return fitted(rows, PRESET_IMPORTANCE, width)


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
        facts.append((CHECKSUM_FACT, description.corpus.sha256))
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


def _values(name: str, values: Sequence[object]) -> list[str]:
    """The values of one setting or result of each run; a hash is shortened."""
    return [_value(value)[: HASH_DIGITS if name == "sha256" else None] for value in values]


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
            return str(value)
