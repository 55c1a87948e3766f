"""Gets a run ready for the training loop: begins it, resumes it, or restarts it."""

import errno
import os
import shutil
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import file_exists, finish_renames, remove_leftovers, write_json
from charrnn_cli.machine import keep_freed_memory
from charrnn_cli.network.model import get_weights
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.checkpoints import Checkpoint, checkpoints, publish_best
from charrnn_cli.runs.folders import Run, model_named
from charrnn_cli.runs.models import Config
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training.base_model import BaseModel
from charrnn_cli.training.configuration import Request, changed_config, new_plan
from charrnn_cli.training.evaluation import is_long_enough
from charrnn_cli.training.state import TrainingState
from charrnn_cli.training.transfer import Matched, transfer
from charrnn_cli.training.windows import Data, check_streams


@dataclass(frozen=True)
class Setup:
    """A run that is ready for the training loop."""

    run: Run
    config: Config
    vocabulary: Vocabulary
    data: Data
    state: TrainingState
    reason: str | None = None  # where its settings come from; None: it keeps those that it had
    matched: Matched | None = None  # how its tokens match those of the trained model that it started from
    base: BaseModel | None = None  # that model, if auto chose it

    @property
    def calibrated(self) -> bool:
        """Whether the validation loss is computed with a softmax temperature that was fitted to the same text."""
        valid = self.data.valid
        return self.config.training.calibrate and valid is not None and is_long_enough(len(valid) - 1)


@dataclass(frozen=True)
class _Place:
    """A prepared run, and where it is trained."""

    run: Run
    corpus: Corpus
    vocabulary: Vocabulary
    device: torch.device
    ranks: Ranks


def set_up(run: Run, request: Request, device: torch.device, ranks: Ranks = ALONE, start_over: bool = False) -> Setup:
    """Begins, resumes or restarts the training of a prepared run, and writes its config.json.

    A refused request removes nothing. Raises UsageError, RunError, DiskError.
    """
    place = _place(run, device, ranks)
    if start_over:
        return restart(place, request)
    last = _last_checkpoint(run)
    return begin(place, request) if last is None else resume(place, request, last)


def begin(place: _Place, request: Request) -> Setup:
    """Starts a run that has no checkpoint. If it was stopped before the first one, it keeps its settings."""
    if file_exists(place.run.config) and request.empty:
        config = Config.load(place.run.config)
        return _started(place, config, None, _origin(place.run, config))
    return restart(place, request)


def restart(place: _Place, request: Request) -> Setup:
    """Starts a run with new settings. Its earlier training is lost."""
    plan = new_plan(request, place.corpus, place.vocabulary, place.device, place.ranks)
    return replace(_started(place, plan.config, plan.reason, plan.origin), base=plan.base)


def resume(place: _Place, request: Request, last: Checkpoint) -> Setup:
    """Continues a run from its last checkpoint, with its own settings.

    The request may change its limit and what is saved, but not how it is trained.
    """
    run, info = place.run, place.corpus.info
    old = Config.load(run.config)
    config = changed_config(old, request, run, place.vocabulary.level)
    grown = old.sha256 in info.grown_from  # text was appended: the streams are cut again
    if grown:
        config = replace(config, sha256=info.sha256)
    config = replace(config, text=info.settings)  # release 0.1 did not store them
    setup = _fresh(place, config)
    setup.state.restore(last)
    _refuse_to_shorten(old, config, setup.state)
    if grown or config.training.bound != old.training.bound:
        _renew_patience(setup, last)
    publish_best(run, setup.state.counters.best_step)
    _write(setup)
    return setup


def contents(run: Run) -> list[Any]:
    """What is in the folder of a run: the text, the settings and the steps of its checkpoints; None if missing."""
    files = (run.corpus / "corpus.json", run.config)
    with disk_errors("read", run.folder):
        found = [file.read_bytes() if file_exists(file) else None for file in files]
    return [*found, [checkpoint.step for checkpoint in checkpoints(run)]]


def follow(run: Run, device: torch.device, ranks: Ranks, origin: Run | None = None) -> Setup:
    """The same setup on another rank, after the first rank wrote it. Writes nothing. Raises RunError.

    `origin` is the trained model that the user asked to start from. Without it, config.json names the model.
    """
    config = Config.load(run.config)
    setup = _fresh(_place(run, device, ranks), config)
    saved = checkpoints(run)
    if saved:
        setup.state.restore(saved[-1])
        return setup
    return _with_trained_weights(setup, origin or _origin(run, config))


def _origin(run: Run, config: Config) -> Run | None:
    """The trained model that config.json names, beside the run or bundled. Raises RunError."""
    return model_named(config.origin, None if config.origin_bundled else run.folder.parent) if config.origin else None


def _place(run: Run, device: torch.device, ranks: Ranks) -> _Place:
    return _Place(run, Corpus(run.corpus), Vocabulary.load(run.vocabulary), device, ranks)


def _started(place: _Place, config: Config, reason: str | None, origin: Run | None) -> Setup:
    """A run before its first step; what earlier training left is removed last."""
    setup = _with_trained_weights(replace(_fresh(place, config), reason=reason), origin)
    _clear(place.run)
    _write(setup)
    return setup


def _fresh(place: _Place, config: Config) -> Setup:
    """A run with random weights. Writes nothing. Raises RunError, UsageError."""
    run, info = place.run, place.corpus.info
    if config.sha256 != info.sha256 and config.sha256 not in info.grown_from:
        raise RunError(
            f"{run.folder} was trained on a different text than it contains now. Pass `restart=True` to start over."
        )
    keep_freed_memory()
    held_out = place.corpus.split("valid")
    data = Data(place.corpus.split("train"), held_out if len(held_out) else None, place.vocabulary.end)
    _check_text(run, data, config.training)
    check_streams(data, config.training, place.ranks)
    state = TrainingState.start(config.model, config.training, len(place.vocabulary), place.device, place.ranks)
    return Setup(run, config, place.vocabulary, data, state)


def _check_text(run: Run, data: Data, training: TrainingSettings) -> None:
    """Raises UsageError if the settings need a validation loss or documents and the text does not have them."""
    if training.shuffle_documents and data.end is None:
        raise UsageError(
            f"`shuffle_documents` has no effect: the text of {run.name} has no documents. Leave it out, or prepare the "
            "text again with `documents=file` or `documents=line`."
        )
    if data.valid is None and (training.patience is not None or training.schedule == "plateau"):
        raise UsageError(
            f"{run.name} has no held-out text, so there is no validation loss for `patience` or `schedule=plateau`. "
            "Leave them out and pass `minutes=10`, or prepare the text again with `valid=0.05`."
        )


def _with_trained_weights(setup: Setup, origin: Run | None) -> Setup:
    """The run with the weights of a trained model, if there is one to start from."""
    if origin is None:
        return setup
    matched = transfer(load_checked_model(origin), origin.name, setup.state.model, setup.vocabulary)
    setup.state.transferred = {name: weight.copy() for name, weight in get_weights(setup.state.model).items()}
    return replace(setup, matched=matched)


def _last_checkpoint(run: Run) -> Checkpoint | None:
    """The checkpoint to resume from. Raises RunError if there is a model but no checkpoint."""
    with disk_errors("write", run.folder):
        finish_renames(run.checkpoints)
        saved = checkpoints(run)
    if not saved and run.trained:
        raise RunError(
            f"{run.folder} has a model but no checkpoint to resume from. Pass `restart=True` to start over; this "
            "deletes that model."
        )
    return saved[-1] if saved else None


def _refuse_to_shorten(old: Config, config: Config, state: TrainingState) -> None:
    """Raises UsageError if a new limit is below what the run already has."""
    if config.training.bound is None or config.training.bound == old.training.bound:
        return
    bound, amount = config.training.bound
    done = state.counters.done(bound)
    if amount < done:
        raise UsageError(
            f"`{bound}={amount:.10g}` is too small: this run already has {done:.4g} {bound}. Pass a larger `{bound}`, "
            "or `restart=True` to start over."
        )


def _clear(run: Run) -> None:
    """Removes what earlier training left; nothing if a folder cannot be changed. Raises DiskError."""
    with disk_errors("write", run.folder):
        for folder in (run.folder, run.checkpoints, run.tensorboard):
            if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        for path in (run.config, run.weights, run.log):
            path.unlink(missing_ok=True)
        for folder in (run.checkpoints, run.tensorboard):
            if folder.exists():
                shutil.rmtree(folder)


def _renew_patience(setup: Setup, last: Checkpoint) -> None:
    """Lets a run that is out of patience train again, also on other ranks, or if this command is killed."""
    counters = setup.state.counters
    if counters.out_of_patience(setup.config.training.patience):
        counters.renew_patience()
        write_json(last.numbers, asdict(counters))


def _write(setup: Setup) -> None:
    """Writes the settings, and makes the folder of the checkpoints."""
    run = setup.run
    with disk_errors("write", run.folder):
        run.checkpoints.mkdir(exist_ok=True)
        remove_leftovers(run.folder)
        remove_leftovers(run.checkpoints)
    setup.config.save(run.config)
