"""What a call of `train` means for a run: begin, go on, or begin anew."""

import math
import platform
import shutil
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from charrnn_cli.config import BOUNDS
from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import finish_renames, remove_leftovers
from charrnn_cli.machine import keep_freed_memory
from charrnn_cli.network.device import device_name, free_memory
from charrnn_cli.network.memory import memory_needed
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.checkpoints import Checkpoint, Config, checkpoints, publish_best
from charrnn_cli.runs.folders import Run, find
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.loop import Data, check_streams
from charrnn_cli.training.presets import AUTO, Preset, auto, named, with_changes
from charrnn_cli.training.state import TrainingState
from charrnn_cli.training.transfer import Matched, transfer

SHAPE = ("cell", "hidden", "layers", "embedding", "residual", "layer_norm", "tie_weights", "forget_bias", "init_scale")
ROOM = 0.8  # of a GPU's free memory, for training
MAY_CHANGE = (*BOUNDS, "patience", "accumulate", "precision", "checkpoint_every", "keep")


@dataclass(frozen=True)
class Setup:
    """A run that is ready for the loop."""

    run: Run
    config: Config
    vocabulary: Vocabulary
    data: Data
    state: TrainingState
    why: str | None  # these settings; None: the run goes on with its own
    matched: Matched | None = None  # what a model that it begins from has brought along


def set_up(
    run: Run,
    preset: str | None,
    flags: dict[str, Any],
    restart: bool,
    device: torch.device,
    origin: Run | None = None,
    ranks: Ranks = ALONE,
) -> Setup:
    """Begins the training of a prepared run, from nothing or from the model of its `origin`, or goes on with it.

    `flags` are the settings that the user named. A run that goes on has its own settings: flags may lengthen it and
    change what is saved, and are refused where they contradict the rest. Raises UsageError, RunError, DiskError.
    """
    corpus, vocabulary = Corpus(run.corpus), Vocabulary.load(run.vocabulary)
    why, last = None, None if restart else _last(run)
    stopped_at_once = last is None and run.config.is_file()  # before the first checkpoint
    if stopped_at_once and not (restart or preset or flags or origin):
        config = Config.load(run.config)
        origin = find(config.origin) if config.origin else None
    elif last is None:
        config, why = _new_config(corpus, vocabulary, preset, flags, device, origin, ranks)
    else:
        old = Config.load(run.config)
        config = _changed(old, run, preset, flags, origin)
        if old.sha256 in corpus.info.grown_from:  # the streams are cut anew; their states are those of another place
            config = replace(config, sha256=corpus.info.sha256)
    data, state, matched = _ready(run, corpus, vocabulary, config, last, origin, device, ranks)
    if last is None:
        _clear(run)
    else:
        _refuse_to_shorten(old, config, state)
        publish_best(run, state.numbers.best_step)
    with disk_errors("write", run.folder):
        run.checkpoints.mkdir(exist_ok=True)
        remove_leftovers(run.folder)
        remove_leftovers(run.checkpoints)
    config.save(run.config)
    return Setup(run, config, vocabulary, data, state, why, matched)


def follow(run: Run, device: torch.device, ranks: Ranks) -> Setup:
    """What `set_up` has made of a run, on another rank: nothing is decided or written. Raises RunError."""
    corpus, vocabulary, config = Corpus(run.corpus), Vocabulary.load(run.vocabulary), Config.load(run.config)
    found = checkpoints(run)
    origin = find(config.origin) if config.origin and not found else None
    data, state, matched = _ready(run, corpus, vocabulary, config, found[-1] if found else None, origin, device, ranks)
    return Setup(run, config, vocabulary, data, state, None, matched)


def _ready(
    run: Run,
    corpus: Corpus,
    vocabulary: Vocabulary,
    config: Config,
    last: Checkpoint | None,
    origin: Run | None,
    device: torch.device,
    ranks: Ranks,
) -> tuple[Data, TrainingState, Matched | None]:
    """Data and state, from the last checkpoint or the model of the origin where there is one. Writes nothing."""
    if config.sha256 != corpus.info.sha256 and config.sha256 not in corpus.info.grown_from:
        raise RunError(f"{run.folder} was trained on another text than it holds now. Type: charrnn train --restart")
    keep_freed_memory()
    held_out = corpus.split("valid")
    data = Data(corpus.split("train"), held_out if len(held_out) else None)
    if data.valid is None and (config.training.patience is not None or config.training.schedule == "plateau"):
        raise UsageError(
            f"{run.name} has no text held out, and so no validation loss that --patience or --schedule plateau could "
            "watch: leave them out and give --minutes 10, or prepare the text anew with --valid 0.05"
        )
    check_streams(data, config.training, ranks)
    state, matched = TrainingState.begin(config.model, config.training, len(vocabulary), device, ranks), None
    if last is not None:
        state.restore(last)
    elif origin:
        matched = transfer(load_checked_model(origin), origin.name, state.model, vocabulary)
        state.transferred = {name: array.copy() for name, array in get_weights(state.model).items()}
    return data, state, matched


def _last(run: Run) -> Checkpoint | None:
    with disk_errors("write", run.folder):
        finish_renames(run.checkpoints)
    found = checkpoints(run)
    if not found and run.trained:
        raise RunError(
            f"{run.folder} has a model but no checkpoint to go on from. To begin anew, and lose that model: "
            f"charrnn train {run.quoted} --restart"
        )
    return found[-1] if found else None


def _new_config(
    corpus: Corpus,
    vocabulary: Vocabulary,
    preset: str | None,
    flags: dict[str, Any],
    device: torch.device,
    origin: Run | None,
    ranks: Ranks,
) -> tuple[Config, str]:
    shape = Config.load(origin.config).model if origin else None
    if origin and (given := [name for name in SHAPE if name in flags]):
        raise UsageError(
            f"--from {origin.name} gives the network its shape: leave out --{given[0].replace('_', '-')}, or begin "
            "from nothing, without --from"
        )
    if origin and preset not in (None, AUTO):
        raise UsageError(
            f"--preset {preset} has a network of its own, and --from {origin.name} another: give one of them."
        )
    if preset is None or preset == AUTO:
        bound = next(((bound, flags[bound]) for bound in BOUNDS if bound in flags), None)
        gpus = 0 if device.type == "cpu" else ranks.size
        base = auto(vocabulary.level, len(vocabulary), corpus.info.tokens["train"], bound, gpus, shape)
    else:
        base = named(preset, vocabulary.level)
    settings = with_changes(base, flags)
    if preset in (None, AUTO) and "accumulate" not in flags:
        settings = _fitted(settings, len(vocabulary), ROOM * free_memory(device), ranks)
    versions = {"charrnn": version("charrnn-cli"), "torch": torch.__version__, "numpy": np.__version__}
    config = Config(
        settings.model,
        settings.training,
        preset or AUTO,
        f"{f'{ranks.size} x ' if ranks.size > 1 else ''}{device_name(device)} ({platform.machine()})",
        corpus.info.sha256,
        versions,
        origin=origin.name if origin else None,
    )
    return config, base.source


def _fitted(base: Preset, vocabulary_size: int, room: float, ranks: Ranks) -> Preset:
    """The preset with the streams in so many parts that a GPU has room for one, where that can be."""
    if room == math.inf:
        return base
    with torch.device("meta"):
        parameters = LanguageModel(base.model, vocabulary_size).parameter_count
    training, mine = base.training, max(base.training.batch_size // ranks.size, 1)
    parts = 1
    while parts < mine:
        part = replace(training, batch_size=mine, accumulate=parts)
        if memory_needed(base.model, part, vocabulary_size, parameters) <= room:
            break
        parts = min(2 * parts, mine)
    return replace(base, training=replace(training, accumulate=parts))


def _changed(config: Config, run: Run, preset: str | None, flags: dict[str, Any], origin: Run | None) -> Config:
    has = {**asdict(config.model), **asdict(config.training), "preset": config.preset, "from": config.origin}
    asked = {**flags, **({} if preset is None else {"preset": preset}), **({"from": origin.name} if origin else {})}
    differ = [name for name, value in asked.items() if name not in MAY_CHANGE and has[name] != value]
    if differ:
        what = ", ".join(f"--{name.replace('_', '-')} {asked[name]} (the run has {has[name]})" for name in differ)
        raise UsageError(
            f"{run.name} is trained already with other settings: {what}. Leave that out to go on, or begin anew: "
            f"charrnn train {run.quoted} --restart"
        )
    changes = {name: flags[name] for name in MAY_CHANGE if name in flags}
    return replace(config, training=config.training.with_changes(changes))


def _refuse_to_shorten(old: Config, config: Config, state: TrainingState) -> None:
    """Raises UsageError where a new bound lies behind the run."""
    if config.training.bound is None or config.training.bound == old.training.bound:
        return
    bound, amount = config.training.bound
    done = state.numbers.done(bound)
    if amount < done:
        raise UsageError(
            f"--{bound} {amount:.10g} lies behind this run, which has had {done:.4g} {bound} in all: give more, "
            "or begin anew with --restart"
        )


def _clear(run: Run) -> None:
    """Removes what an earlier training left."""
    with disk_errors("write", run.folder):
        for path in (run.config, run.weights, run.log):
            path.unlink(missing_ok=True)
        for folder in (run.checkpoints, run.tensorboard):
            if folder.exists():
                shutil.rmtree(folder)
