"""charrnn as a library: train recurrent language models on your own text, and write, read and score texts with them.

    import charrnn_cli as charrnn

    model = charrnn.load("anna")
    print(model.generate("Far", length=300, seed=1))

The import loads nothing else: each public name is imported when it is first used.
"""

TYPE_CHECKING = False  # like that of typing, which takes too long to import

if TYPE_CHECKING:
    from charrnn_cli.config import (
        ModelSettings,
        PrepareSettings,
        SamplingSettings,
        SelectionSettings,
        TrainingSettings,
    )
    from charrnn_cli.errors import (
        CharrnnError,
        DeviceError,
        DiskError,
        RunError,
        SelectionError,
        TextError,
        UsageError,
    )
    from charrnn_cli.generation.adapting import adapt
    from charrnn_cli.generation.evaluation import evaluate
    from charrnn_cli.generation.model import Model, load
    from charrnn_cli.generation.results import LineScore, Prediction, Text, TextScore, TokenScore
    from charrnn_cli.generation.state import State
    from charrnn_cli.generation.surprisal import TokenSurprisal
    from charrnn_cli.generation.texts import Piece
    from charrnn_cli.generation.word_surprisal import WordSurprisal
    from charrnn_cli.runs.folders import Run
    from charrnn_cli.runs.preparation import Prepared, prepare
    from charrnn_cli.training.events import (
        End,
        MemoryFull,
        Recovery,
        Report,
        Saved,
        ThreadChange,
        Validating,
        Validation,
    )
    from charrnn_cli.training.trainer import Started, train

MODULES = {
    "config": ("ModelSettings", "PrepareSettings", "SamplingSettings", "SelectionSettings", "TrainingSettings"),
    "errors": ("CharrnnError", "DeviceError", "DiskError", "RunError", "SelectionError", "TextError", "UsageError"),
    "generation.adapting": ("adapt",),
    "generation.evaluation": ("evaluate",),
    "generation.model": ("Model", "load"),
    "generation.results": ("LineScore", "Prediction", "Text", "TextScore", "TokenScore"),
    "generation.state": ("State",),
    "generation.surprisal": ("TokenSurprisal",),
    "generation.texts": ("Piece",),
    "generation.word_surprisal": ("WordSurprisal",),
    "runs.folders": ("Run",),
    "runs.preparation": ("Prepared", "prepare"),
    "training.events": ("End", "MemoryFull", "Recovery", "Report", "Saved", "ThreadChange", "Validating", "Validation"),
    "training.trainer": ("Started", "train"),
}
PLACES = {name: module for module, names in MODULES.items() for name in names}

__all__ = [
    "CharrnnError",
    "DeviceError",
    "DiskError",
    "End",
    "LineScore",
    "MemoryFull",
    "Model",
    "ModelSettings",
    "Piece",
    "Prediction",
    "PrepareSettings",
    "Prepared",
    "Recovery",
    "Report",
    "Run",
    "RunError",
    "SamplingSettings",
    "Saved",
    "SelectionError",
    "SelectionSettings",
    "Started",
    "State",
    "Text",
    "TextError",
    "TextScore",
    "ThreadChange",
    "TokenScore",
    "TokenSurprisal",
    "TrainingSettings",
    "UsageError",
    "Validating",
    "Validation",
    "WordSurprisal",
    "adapt",
    "evaluate",
    "load",
    "prepare",
    "train",
]


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used (PEP 562)."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
