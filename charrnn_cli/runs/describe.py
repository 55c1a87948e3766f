"""What is known about a run or model, gathered from its files."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn_cli.errors import CharrnnError
from charrnn_cli.files import anything_exists
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import RUNS, Run, all_runs, bundled_models
from charrnn_cli.runs.models import Config
from charrnn_cli.runs.weights import Summary, count_parameters, load_summary
from charrnn_cli.text.corpus import Corpus, CorpusInfo
from charrnn_cli.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Description:
    """What is known about a run or model. A field is None if the run does not have it (yet)."""

    run: Run
    vocabulary: Vocabulary
    corpus: CorpusInfo | None
    config: Config | None
    best: Summary | None  # of the weights that `sample` uses
    parameters: int | None
    checkpoints: list[Summary]
    damaged: list[str]  # one message for each checkpoint that cannot be read

    @property
    def valid_bits_per_character(self) -> float | None:
        """The validation loss in bits per character. None if it was not measured, or if characters were not counted."""
        characters = self._characters_per_token
        if self.best is None or self.best.valid_loss is None or characters is None or not characters > 0:
            return None
        return self.best.valid_loss / characters / math.log(2)

    @property
    def _characters_per_token(self) -> float | None:
        """As the corpus counted them, or as they were stored when the model was exported."""
        counted = self.corpus.characters_per_token if self.corpus else None
        if counted is None and self.config:
            counted = self.config.characters_per_token
        if counted is None and self.vocabulary.level == "char":
            return 1.0
        return counted

    def record(self) -> dict[str, Any]:
        """The description as a JSON object."""
        return {
            "name": self.run.name,
            "folder": str(self.run.folder),
            "bundled": self.run.bundled,
            "level": self.vocabulary.level,
            "vocabulary": len(self.vocabulary),
            "parameters": self.parameters,
            "corpus": None if self.corpus is None else dataclasses.asdict(self.corpus),
            "config": None if self.config is None else dataclasses.asdict(self.config),
            "best": None if self.best is None else dataclasses.asdict(self.best),
            "damaged": self.damaged,
            "checkpoints": [dataclasses.asdict(summary) for summary in self.checkpoints],
        }


@dataclass(frozen=True)
class DamagedRun:
    """A run or model that cannot be described."""

    run: Run
    error: str

    def record(self) -> dict[str, Any]:
        return {"name": self.run.name, "folder": str(self.run.folder), "error": self.error}


def describe(run: Run) -> Description:
    """Describes a run without reading its weights. Raises RunError if a file other than a checkpoint is damaged."""
    summaries, damaged = [], []
    for checkpoint in checkpoints(run):
        try:
            summaries.append(load_summary(checkpoint.weights))
        except CharrnnError as error:
            damaged.append(str(error))
    return Description(
        run,
        Vocabulary.load(run.vocabulary),
        corpus=Corpus(run.corpus).info if run.prepared else None,
        config=Config.load(run.config) if anything_exists(run.config) else None,
        best=load_summary(run.weights) if run.trained else None,
        parameters=count_parameters(run.weights) if run.trained else None,
        checkpoints=summaries,
        damaged=damaged,
    )


def describe_all(root: Path = RUNS) -> list[Description | DamagedRun]:
    """Describes the runs in `root` and the bundled models. Raises DiskError if `root` cannot be read."""
    descriptions: list[Description | DamagedRun] = []
    for run in (*all_runs(root), *bundled_models()):
        try:
            descriptions.append(describe(run))
        except CharrnnError as error:
            descriptions.append(DamagedRun(run, str(error)))
    return descriptions
