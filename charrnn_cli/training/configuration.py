"""The settings of a run: how a new run gets them, and which of them may change when it resumes."""

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from charrnn_cli.config import BOUNDS, FROM_NOTHING, Level, ModelSettings, TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.network.cells import cell_spec
from charrnn_cli.network.device import device_name, fix_threads, free_memory
from charrnn_cli.network.memory import memory_needed
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.network.ranks import Ranks
from charrnn_cli.network.speed import training_speed
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import Config
from charrnn_cli.setting import check_value
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.auto import TrainingText, auto
from charrnn_cli.training.base_model import BaseModel, best_base_model
from charrnn_cli.training.presets import AUTO, Preset, named, with_changes
from charrnn_cli.wording import check_names

SHAPE = ("cell", "hidden", "layers", "embedding", "residual", "layer_norm", "tie_weights", "forget_bias", "init_scale")
MAY_CHANGE = (*BOUNDS, "patience", "accumulate", "precision", "threads", "checkpoint_every", "keep", "keep_early")
SHARE_FOR_TRAINING = 0.8  # of a GPU's free memory


@dataclass(frozen=True)
class Request:
    """What the user asks for: settings by their names, a preset, and a trained model to start from.

    Without an `origin`, the preset auto may choose a bundled model, unless the run has to start `from_nothing`.
    Raises UsageError for an unknown setting, and for a value that is invalid in every run.
    """

    settings: Mapping[str, Any]
    preset: str | None = None
    origin: Run | None = None
    from_nothing: bool = False

    def __post_init__(self) -> None:
        kinds = {one.name: kind for kind in (ModelSettings, TrainingSettings) for one in fields(kind)}
        check_names(self.settings, kinds, "training")
        for name, value in self.settings.items():
            check_value(kinds[name], name, value)
        if "cell" in self.settings:
            cell_spec(self.settings["cell"])

    @property
    def empty(self) -> bool:
        return not (self.settings or self.preset or self.origin or self.from_nothing)

    @property
    def named_preset(self) -> str | None:
        """The preset, unless it is auto."""
        return None if self.preset in (None, AUTO) else self.preset

    @property
    def may_choose_origin(self) -> bool:
        """Whether auto may start from a bundled model: nothing that was asked for sets where the weights come from."""
        return not (self.origin or self.from_nothing or self.named_preset or set(SHAPE) & set(self.settings))


@dataclass(frozen=True)
class Plan:
    """The settings of a new run, where they come from, and the trained model that it starts from."""

    config: Config
    reason: str
    origin: Run | None
    base: BaseModel | None  # what auto measured, if it chose the origin


def new_plan(request: Request, corpus: Corpus, vocabulary: Vocabulary, device: torch.device, ranks: Ranks) -> Plan:
    """How a new run is trained. Raises UsageError."""
    fix_threads(request.settings.get("threads"))  # before auto measures the speed
    preset, base = _preset(request, corpus, vocabulary, device, ranks)
    origin = base.run if base else request.origin
    if not request.named_preset and "accumulate" not in request.settings:
        preset = _fitted(preset, len(vocabulary), SHARE_FOR_TRAINING * free_memory(device), ranks)
    config = Config(
        preset.model,
        preset.training,
        request.preset or AUTO,
        f"{f'{ranks.size} x ' if ranks.size > 1 else ''}{device_name(device)} ({platform.machine()})",
        corpus.info.sha256,
        {"charrnn": version("charrnn-cli"), "torch": torch.__version__, "numpy": np.__version__},
        origin=origin.name if origin else None,
        origin_bundled=origin is not None and origin.bundled,
        text=corpus.info.settings,
    )
    return Plan(config, preset.source, origin, base)


def _preset(
    request: Request, corpus: Corpus, vocabulary: Vocabulary, device: torch.device, ranks: Ranks
) -> tuple[Preset, BaseModel | None]:
    """The preset that the user asked for, with the settings that the user passed; the bundled model that auto chose."""
    if request.origin:
        _check_origin(request, request.origin)
    if request.named_preset:
        return with_changes(named(request.named_preset, vocabulary.level), request.settings), None
    bound = next(((name, request.settings[name]) for name in BOUNDS if name in request.settings), None)
    gpus = 0 if device.type == "cpu" else ranks.size
    shape = Config.load(request.origin.config).model if request.origin else None
    info = corpus.info
    text = TrainingText(
        vocabulary.level,
        len(vocabulary),
        info.tokens["train"],
        validated=info.tokens["valid"] > 0,
        documents=vocabulary.end is not None,
        short_list=info.short_list,
    )
    minutes = request.settings.get("minutes")
    fixed_threads = "threads" in request.settings
    speed = training_speed(device, text.level, text.vocabulary_size, ranks.size, minutes, fixed_threads)
    fitted = partial(auto, text, bound, speed, gpus, settings=request.settings)
    preset = with_changes(fitted(shape), request.settings)
    base = best_base_model(corpus, vocabulary, preset.model) if request.may_choose_origin else None
    return with_changes(fitted(base.settings), request.settings) if base else preset, base


def _check_origin(request: Request, origin: Run) -> None:
    """Raises UsageError if something other than the trained model would set the shape of the network."""
    for name in SHAPE:
        if name in request.settings:
            raise UsageError(
                f"`{name}` is set by `origin={origin.name}`, whose network is trained further. Leave out `{name}`, or "
                "leave out `origin` to start with random weights."
            )
    if request.named_preset:
        raise UsageError(
            f"`preset={request.preset}` and `origin={origin.name}` have different networks. Pass only one of them."
        )


def _fitted(preset: Preset, vocabulary_size: int, memory: float, ranks: Ranks) -> Preset:
    """The preset, with its batch split into parts if the whole batch would not fit into this much GPU memory."""
    if memory == math.inf:
        return preset
    with torch.device("meta"):
        parameters = LanguageModel(preset.model, vocabulary_size).parameter_count
    streams = max(preset.training.batch_size // ranks.size, 1)
    parts = 1
    while parts < streams:
        training = replace(preset.training, batch_size=streams, accumulate=parts)
        if memory_needed(preset.model, training, vocabulary_size, parameters) <= memory:
            break
        parts = min(2 * parts, streams)
    return replace(preset, training=replace(preset.training, accumulate=parts))


def _shown(value: Any) -> str:
    """The value of a setting in a message."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "it on" if value else "it off"
    return str(value)


def changed_config(config: Config, request: Request, run: Run, level: Level) -> Config:
    """The settings of a run that resumes. Raises UsageError if the user asks for other settings than the run has."""
    if request.named_preset:
        named(request.named_preset, level)  # a typo is its own error: restarting would not help
    origin = config.origin or FROM_NOTHING
    current = {**asdict(config.model), **asdict(config.training), "preset": config.preset, "origin": origin}
    passed = dict(request.settings)
    if request.preset is not None:
        passed["preset"] = request.preset
    if request.origin is not None:
        passed["origin"] = request.origin.name
    elif request.from_nothing:
        passed["origin"] = FROM_NOTHING
    different = [name for name, value in passed.items() if name not in MAY_CHANGE and value != current[name]]
    if different:
        values = ", ".join(f"`{name}={passed[name]}` (the run has {_shown(current[name])})" for name in different)
        raise UsageError(
            f"{run.name} was trained with other settings: {values}. Leave that out to resume, or pass `restart=True` "
            "to start over."
        )
    changes = {name: request.settings[name] for name in MAY_CHANGE if name in request.settings}
    return replace(config, training=config.training.with_changes(changes))
