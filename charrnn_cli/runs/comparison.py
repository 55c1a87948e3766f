"""Compares runs: the settings in which they differ, and their results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charrnn_cli.runs.describe import Description

Values = dict[str, list[Any]]  # by name, the value of each run; None if a run does not have it


@dataclass(frozen=True)
class Comparison:
    """What differs between runs."""

    runs: list[str]
    settings: Values  # only those that differ
    results: Values
    note: str | None  # which run predicts best, or why their losses cannot be compared

    def record(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {"runs": self.runs, "settings": self.settings, "results": self.results}


def compare_runs(runs: Sequence[Description]) -> Comparison:
    settings = {name: values for name, values in _settings(runs).items() if any(value != values[0] for value in values)}
    return Comparison([one.run.name for one in runs], settings, _results(runs), _note(runs))


def _settings(runs: Sequence[Description]) -> Values:
    settings = [_settings_of(one) for one in runs]
    names = dict.fromkeys(name for one in settings for name in one)
    return {name: [one.get(name) for one in settings] for name in names}


def _settings_of(run: Description) -> dict[str, Any]:
    """The text, the settings and the versions of a run, by name."""
    record = run.record()
    config, corpus = record["config"] or {}, record["corpus"] or {}
    return {
        "level": run.vocabulary.level,
        "vocabulary": len(run.vocabulary),
        "text": ", ".join(corpus["files"]) if corpus else None,
        "sha256": config.get("sha256") or corpus.get("sha256"),
        "preset": config.get("preset"),
        "origin": config.get("origin"),
        **config.get("model", {}),
        **config.get("training", {}),
        "device": config.get("device"),
        **config.get("versions", {}),
    }


def _results(runs: Sequence[Description]) -> Values:
    """How good the weights that `sample` uses are, and how long they were trained."""
    results: Values = {
        "parameters": [one.parameters for one in runs],
        "valid_loss": [_loss(one) for one in runs],
        "valid_bits_per_character": [one.valid_bits_per_character for one in runs],
    }
    for name in ("train_loss", "step", "epoch", "seconds"):
        results[name] = [getattr(one.best, name) if one.best else None for one in runs]
    return results


def _note(runs: Sequence[Description]) -> str | None:
    losses = [(loss, one.run.name) for one in runs if (loss := _loss(one)) is not None]
    if len(losses) < len(runs):
        return None
    if any(one.vocabulary.tokens != runs[0].vocabulary.tokens for one in runs):
        return "Their tokens differ, so their losses cannot be compared. Compare the bits per character."
    texts = {one.config.sha256 for one in runs if one.config}
    if len(texts) > 1:
        return "They learned different texts. To compare them, evaluate each on the same text (charrnn evaluate)."
    (lowest, best), (second, other) = sorted(losses)[:2]
    return f"{best} has the lowest validation loss, {second - lowest:.4f} below {other}."


def _loss(run: Description) -> float | None:
    return run.best.valid_loss if run.best else None
