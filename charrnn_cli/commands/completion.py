"""Names for shell completion, found by listing folders: neither NumPy nor torch is loaded."""

from collections.abc import Iterable
from typing import Any

from charrnn_cli.runs.folders import all_runs, bundled_models, find_run


def complete_runs(incomplete: str) -> list[str]:
    return _matching([run.name for run in all_runs()], incomplete)


def complete_models(incomplete: str) -> list[str]:
    return _matching([run.name for run in (*all_runs(), *bundled_models())], incomplete)


def complete_presets(incomplete: str) -> list[str]:
    from charrnn_cli.training.presets import AUTO, PRESETS

    return _matching([AUTO, *PRESETS], incomplete)


def complete_checkpoints(ctx: Any, incomplete: str) -> list[str]:
    """The steps of the checkpoints of the run that --model names."""
    name = ctx.params.get("model")
    folder = find_run(name).checkpoints if name else None
    steps = [int(path.name[5:]) for path in folder.glob("step-*")] if folder else []
    return _matching(map(str, steps), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
