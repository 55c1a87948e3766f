"""Names for shell completion. They come from the names of folders, so neither NumPy nor torch is loaded."""

from collections.abc import Iterable
from typing import Any

from charrnn_cli.config import FROM_NOTHING


def complete_runs(incomplete: str) -> list[str]:
    return _matching(_names().runs, incomplete)


def complete_models(incomplete: str) -> list[str]:
    names = _names()
    return _matching((*names.trained, *names.bundled), incomplete)


def complete_origins(incomplete: str) -> list[str]:
    return [*complete_models(incomplete), *_matching([FROM_NOTHING], incomplete)]


def complete_runs_and_models(incomplete: str) -> list[str]:
    names = _names()
    return _matching((*names.runs, *names.bundled), incomplete)


def complete_presets(incomplete: str) -> list[str]:
    from charrnn_cli.training.presets import AUTO, PRESETS

    return _matching([AUTO, *PRESETS], incomplete)


def complete_checkpoints(ctx: Any, incomplete: str) -> list[str]:
    """The steps and the names of the checkpoints of the run that --model names."""
    from charrnn_cli.errors import CharrnnError
    from charrnn_cli.runs.folders import CHECKPOINT_NAMES, checkpoint_steps, run_named

    name = ctx.params.get("model")
    try:
        steps = checkpoint_steps(run_named(name)) if name else []
    except CharrnnError:  # a folder, or an invalid name
        steps = []
    return _matching((*CHECKPOINT_NAMES, *map(str, steps)) if steps else (), incomplete)


def _names() -> Any:
    from charrnn_cli.runs.folders import run_names  # every command imports this file, but few complete a name

    return run_names()


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
