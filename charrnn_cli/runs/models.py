"""config.json, and a trained model read from disk into memory."""

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from charrnn_cli.config import ModelSettings, PrepareSettings, TrainingSettings
from charrnn_cli.errors import CharrnnError, RunError, UsageError
from charrnn_cli.files import read_json, write_json
from charrnn_cli.runs.checkpoints import weights_file
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.weights import SCALE, Summary, Tensors, load_checksum, load_summary, load_tensors
from charrnn_cli.setting import settings_from
from charrnn_cli.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Config:
    """config.json: what a model is, and how it is trained."""

    model: ModelSettings
    training: TrainingSettings
    preset: str
    device: str
    sha256: str  # of the training text
    versions: dict[str, str]
    origin: str | None = None  # the model that training started from
    origin_bundled: bool = False  # whether it is a bundled model; a run may have the same name
    weights_sha256: str | None = None  # only in exported models
    characters_per_token: float | None = None  # of the validation text; only in exported models
    text: PrepareSettings | None = None  # how the training text was read and split; None in files of release 0.1

    def save(self, path: Path) -> None:
        """Writes config.json. Raises DiskError."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Reads config.json. Raises RunError if it is missing or damaged."""
        try:
            return settings_from(cls, read_json(path))
        except (ValueError, UsageError) as error:
            raise RunError(f"{path} is damaged: {error}") from error


@dataclass(frozen=True)
class StoredModel:
    """A trained model in memory. `text` says how to read a text for it."""

    settings: ModelSettings
    vocabulary: Vocabulary
    weights: Tensors
    summary: Summary
    text: PrepareSettings
    checksum: str = ""  # SHA-256 of the weights in their file; empty if there is none

    @property
    def calibrated(self) -> bool:
        """Whether the softmax temperature of the model was fitted to its validation text."""
        return SCALE in self.weights and self.weights[SCALE].item() != 1


def load_model(run: Run, checkpoint: int | str | None = None) -> StoredModel:
    """The best weights of a run or model, or the weights of a checkpoint: its step, "first", "last" or "best".

    Whether the weights fit the settings is not checked here, but in network/weights.py. Raises RunError if a file is
    missing or damaged, UsageError if the checkpoint does not exist.
    """
    path = weights_file(run, checkpoint)
    config = Config.load(run.config)
    checksum = load_checksum(path)
    if path == run.weights and config.weights_sha256 not in (None, checksum):
        raise RunError(f"{path} is damaged: its checksum differs from the one in config.json.")
    vocabulary = Vocabulary.load(run.vocabulary)
    text = _text_settings(run, config, vocabulary)
    return StoredModel(config.model, vocabulary, load_tensors(path), load_summary(path), text, checksum or "")


def _text_settings(run: Run, config: Config, vocabulary: Vocabulary) -> PrepareSettings:
    """How the text of a model was read and split: from config.json, the corpus or the vocabulary."""
    if config.text is not None:
        return config.text
    if run.prepared:
        # A damaged corpus must not stop a model from writing; `verify` reports it.
        with contextlib.suppress(CharrnnError, KeyError, ValueError):
            return settings_from(PrepareSettings, read_json(run.corpus / "corpus.json")["settings"])
    try:
        return PrepareSettings(
            level=vocabulary.level,
            split_on=vocabulary.split_on,
            lowercase=vocabulary.lowercase,
            documents="file" if vocabulary.end is not None else None,
        )
    except UsageError as error:
        raise RunError(f"{run.vocabulary} is damaged: {error}") from error
