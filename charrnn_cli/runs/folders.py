"""Where models live: `runs/` of the working folder and the bundled `models/`; finds one by name."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.files import finish_renames

RUNS = Path("runs")
BUNDLED_DEFAULT = "anna"


@dataclass(frozen=True)
class Run:
    """The folder of one run or model, and the names of what is in it."""

    folder: Path
    bundled: bool = False

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name or self.folder.resolve().name

    @property
    def quoted(self) -> str:
        """The name as it is typed in a shell."""
        return shlex.quote(self.name)

    @property
    def vocabulary(self) -> Path:
        """The tokens in id order."""
        return self.folder / "vocabulary.json"

    @property
    def corpus(self) -> Path:
        """The folder of the splits."""
        return self.folder / "corpus"

    @property
    def config(self) -> Path:
        """The settings of model and training."""
        return self.folder / "config.json"

    @property
    def weights(self) -> Path:
        """The best weights so far by validation loss."""
        return self.folder / "model.safetensors"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def log(self) -> Path:
        """One JSON record for each report."""
        return self.folder / "log.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files, where they were asked for."""
        return self.folder / "tensorboard"

    @property
    def prepared(self) -> bool:
        """Whether there is a corpus."""
        return (self.corpus / "corpus.json").is_file()

    @property
    def trained(self) -> bool:
        """Whether there are weights."""
        return self.weights.is_file()


def named(name: str) -> Run:
    """The run of that name in `runs/`, there or not. Raises UsageError for what is no name."""
    if not name.strip() or name.startswith((".", "-")) or "/" in name or "\\" in name or not name.isprintable():
        raise UsageError(
            f"{name!r} is no name for a run: give one without slashes that starts with a letter or a digit, "
            "such as --name novel"
        )
    return Run(RUNS / name)


def runs() -> list[Run]:
    """All runs of the working folder, by name."""
    finish_renames(RUNS)
    found = _inside(RUNS, bundled=False)
    for run in found:
        finish_renames(run.folder)
    return found


def bundled_models() -> list[Run]:
    """The models that came with the package, by name."""
    package = Path(__file__).parent.parent
    installed = package / "models"
    return _inside(installed if installed.is_dir() else package.parent / "models", bundled=True)


def find(name_or_folder: str) -> Run:
    """A run or model by its name (runs first, then bundled models) or its folder. Raises RunError."""
    models = [*runs(), *bundled_models()]
    for run in models:
        if run.name == name_or_folder:
            return run
    folder = Path(name_or_folder)
    if (folder / "vocabulary.json").is_file():
        return Run(folder)
    known = ", ".join(dict.fromkeys(run.name for run in models)) or "none yet"
    raise RunError(f"no run, model or model folder is called {name_or_folder!r}. Known here: {known} (charrnn models).")


def to_sample(name_or_folder: str | None) -> Run:
    """The model to write with: the one asked for, the one trained last, or the bundled one. Raises RunError."""
    if name_or_folder is None:
        trained = [run for run in runs() if run.trained]
        return max(trained, key=_trained_at) if trained else find(BUNDLED_DEFAULT)
    run = find(name_or_folder)
    if not run.trained:
        raise RunError(f"{run.name} is prepared but not trained yet. Type: charrnn train {run.quoted}")
    return run


def to_train(name: str | None) -> Run:
    """The run to train: the one asked for, or the one prepared last. Raises RunError."""
    if name is None:
        prepared = [run for run in runs() if run.prepared]
        if not prepared:
            raise RunError("nothing is prepared in this folder yet. Type: charrnn prepare FILE.txt")
        return max(prepared, key=lambda run: (run.corpus / "corpus.json").stat().st_mtime)
    run = named(name)
    finish_renames(RUNS)  # and no look at the other runs, which may be unreadable
    finish_renames(run.folder)
    if not run.prepared:
        known = ", ".join(run.name for run in runs() if run.prepared) or "none"
        raise RunError(
            f"no run called {name!r} is prepared in this folder (prepared: {known}). "
            f"Type: charrnn prepare FILE.txt --name {run.quoted}"
        )
    return run


def _trained_at(run: Run) -> float:
    """When the run's log last grew; its weights may be those of an earlier step."""
    return (run.log if run.log.exists() else run.weights).stat().st_mtime


def _inside(folder: Path, bundled: bool) -> list[Run]:
    if not folder.is_dir():
        return []
    found = (Run(path, bundled) for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return [run for run in found if run.vocabulary.is_file() or run.prepared or run.trained]
