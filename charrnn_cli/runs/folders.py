"""Where runs and models are on disk: `runs/` and the bundled `models/`. Finds them by name."""

import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.errors import DiskError, RunError, UsageError, disk_errors
from charrnn_cli.files import anything_exists, file_exists, finish_renames, folder_exists
from charrnn_cli.setting import check_path, check_text
from charrnn_cli.wording import did_you_mean

RUNS = Path("runs")
BUNDLED_DEFAULT = "anna"
CHECKPOINT_FOLDER = re.compile("step-([0-9]{8,})")
CHECKPOINT_NAMES = ("first", "last", "best")  # besides the steps


@dataclass(frozen=True)
class Run:
    """The folder of one run or model, and the paths of its files."""

    folder: Path
    bundled: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", check_path("folder", self.folder))  # it may be a string

    @property
    def name(self) -> str:
        return self.folder.name or self.folder.resolve().name

    @property
    def quoted(self) -> str:
        """The name, quoted for a shell."""
        return shlex.quote(self.name)

    @property
    def vocabulary(self) -> Path:
        """The file of the tokens, in id order."""
        return self.folder / "vocabulary.json"

    @property
    def corpus(self) -> Path:
        """The folder of the token ids of each split."""
        return self.folder / "corpus"

    @property
    def config(self) -> Path:
        """The file of the model's settings and the training's settings."""
        return self.folder / "config.json"

    @property
    def weights(self) -> Path:
        """The file of the best weights so far, by validation loss."""
        return self.folder / "model.safetensors"

    @property
    def cells(self) -> Path:
        """The file of the cells that were found to track something."""
        return self.folder / "cells.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint at `step`."""
        return self.checkpoints / f"step-{step:08d}"

    @property
    def log(self) -> Path:
        """The file with one JSON record for each report."""
        return self.folder / "log.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.folder / "tensorboard"

    @property
    def prepared(self) -> bool:
        """Whether there is a corpus. Raises DiskError."""
        return file_exists(self.corpus / "corpus.json")

    @property
    def trained(self) -> bool:
        """Whether there are weights. Raises DiskError."""
        return file_exists(self.weights)


@dataclass(frozen=True)
class RunNames:
    """The names of runs and models."""

    runs: list[str]
    trained: list[str]  # the runs that have a model
    bundled: list[str]


def run_named(name: str, root: Path = RUNS) -> Run:
    """The run of that name in `root`, whether it exists or not. Raises UsageError if the name is invalid."""
    check_text("name", name)
    if not name.strip() or name.startswith((".", "-")) or "/" in name or "\\" in name or not name.isprintable():
        raise UsageError(
            f"{name!r} is not a valid name for a run. Pass a name without slashes that starts with a letter or a "
            "digit, such as `name=novel`."
        )
    return Run(root / name)


def all_runs(root: Path = RUNS) -> list[Run]:
    """The runs in `root`, by name, also those that cannot be read. Raises DiskError if `root` cannot be read."""
    finish_renames(root)
    found = _runs_inside(root)
    for run in found:
        with suppress(DiskError):
            finish_renames(run.folder)
    return found


def bundled_models() -> list[Run]:
    """The models that came with the package, by name."""
    package = Path(__file__).parent.parent
    installed = package / "models"
    return _runs_inside(installed if folder_exists(installed) else package.parent / "models", bundled=True)


def run_names(root: Path = RUNS) -> RunNames:
    """The names of runs and bundled models, for shell completion. Never fails, writes nothing, loads no NumPy."""
    try:
        found = _runs_inside(root)
        trained = [run.name for run in found if run.trained]
    except DiskError:
        found, trained = [], []
    return RunNames([run.name for run in found], trained, [model.name for model in bundled_models()])


def checkpoint_steps(run: Run) -> list[int]:
    """The steps of the checkpoints of a run, in order, from the names of their folders. Raises DiskError."""
    if not folder_exists(run.checkpoints):
        return []
    with disk_errors("read", run.checkpoints):
        names = [path.name for path in run.checkpoints.iterdir()]
    return sorted(int(match[1]) for match in map(CHECKPOINT_FOLDER.fullmatch, names) if match)


def find_run(name_or_folder: str, root: Path = RUNS) -> Run:
    """A run or model by its name or its folder; runs come before bundled models. Raises RunError."""
    models = [*all_runs(root), *bundled_models()]
    for run in models:
        if run.name == name_or_folder:
            return run
    folder = Run(Path(name_or_folder))
    with suppress(DiskError):  # the folder above may be unreadable
        finish_renames(folder.folder.parent, folder.folder.name)
    if file_exists(folder.vocabulary):
        return folder
    known = _listed(models) or "none yet"
    guess = did_you_mean(name_or_folder, [model.name for model in models])
    raise RunError(
        f"no run, model or model folder is called {name_or_folder!r}.{guess} Known here: {known} (charrnn models)."
    )


def model_named(name: str, root: Path | None = RUNS) -> Run:
    """A run in `root`, if there is a root, or a bundled model by its name.

    Unlike `find_run`, it takes no folder: a file may contain any path.

    Raises RunError.
    """
    runs = all_runs(root) if root else []
    for run in (*runs, *bundled_models()):
        if run.name == name:
            return run
    raise RunError(
        f"no run or model is called {name!r}. If it is in another folder, pass that folder as `origin`, and "
        "`restart=True` to start over."
    )


def run_to_sample(name_or_folder: str | None, root: Path = RUNS) -> Run:
    """The model to write with: the given one, else the run trained last, else the bundled one. Raises RunError."""
    if name_or_folder is None:
        trained = [run for run in all_runs(root) if run.trained]
        return max(trained, key=_trained_at) if trained else find_run(BUNDLED_DEFAULT, root)
    return check_trained(find_run(name_or_folder, root))


def check_trained(run: Run) -> Run:
    """The run, if it has a model. Raises RunError."""
    if run.prepared and not run.trained:
        raise RunError(f"{run.name} is prepared but not trained yet. Call `charrnn.train({run.name!r})`.")
    return run


def run_to_train(name: str | None, root: Path = RUNS) -> Run:
    """The run to train: the given one, else the run prepared last. Raises RunError, UsageError."""
    if name is None:
        prepared = [run for run in all_runs(root) if run.prepared]
        if not prepared:
            raise RunError("nothing is prepared in this folder yet. Call `charrnn.prepare('FILE.txt')`.")
        return max(prepared, key=lambda run: _modified_at(run.corpus / "corpus.json"))
    run = run_named(name, root)
    finish_renames(root)  # and not all_runs: other runs may be unreadable
    finish_renames(run.folder)
    if not run.prepared:
        prepared = [run for run in all_runs(root) if run.prepared]
        guess = did_you_mean(name, [run.name for run in prepared])
        raise RunError(
            f"no run called {name!r} is prepared in this folder (prepared: {_listed(prepared) or 'none'}).{guess} "
            f"Call `charrnn.prepare('FILE.txt', name={run.name!r})`."
        )
    return run


def _listed(models: Sequence[Run]) -> str:
    return ", ".join(dict.fromkeys(run.name for run in models))


def _trained_at(run: Run) -> float:
    """When the log of a run last grew; its weights may come from an earlier step."""
    return _modified_at(run.log if file_exists(run.log) else run.weights)


def _modified_at(path: Path) -> float:
    with disk_errors("read", path):
        return path.stat().st_mtime


def _runs_inside(folder: Path, bundled: bool = False) -> list[Run]:
    if not folder_exists(folder):
        return []
    with disk_errors("read", folder):
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    runs = (Run(path, bundled) for path in paths)
    return [run for run in runs if _has_files(run)]


def _has_files(run: Run) -> bool:
    """Whether a folder is that of a run or model; a folder that cannot be read may be one."""
    try:
        return any(map(anything_exists, (run.vocabulary, run.corpus / "corpus.json", run.weights)))
    except DiskError:
        return True
