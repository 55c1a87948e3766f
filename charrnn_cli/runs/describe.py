"""What is known of a run or model, gathered from its files."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from charrnn_cli.errors import RunError
from charrnn_cli.runs.checkpoints import Config, Summary, checkpoints, count_parameters, load_summary
from charrnn_cli.runs.folders import Run
from charrnn_cli.text.corpus import Corpus, CorpusInfo
from charrnn_cli.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Description:
    """One run or model. What is None is not there yet."""

    run: Run
    vocabulary: Vocabulary
    corpus: CorpusInfo | None
    config: Config | None
    best: Summary | None  # of the weights that `sample` uses
    parameters: int | None
    checkpoints: list[Summary]
    damaged: list[str]  # what is wrong with the checkpoints that cannot be read

    @property
    def valid_bits_per_character(self) -> float | None:
        """Of the weights that `sample` uses; None where it was not measured, or nobody counted characters."""
        counted = self.corpus and self.corpus.characters.get("valid")
        if not self.corpus or not counted or self.best is None or self.best.valid_loss is None:
            return None
        return self.best.valid_loss * (self.corpus.tokens["valid"] - 1) / counted / math.log(2)

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
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


def describe(run: Run) -> Description:
    """Reads what is known of `run`; the weights themselves stay on disk. Raises RunError where a file is damaged."""
    summaries, damaged = [], []
    for checkpoint in checkpoints(run):
        try:
            summaries.append(load_summary(checkpoint.weights))
        except RunError as error:
            damaged.append(str(error))
    return Description(
        run,
        Vocabulary.load(run.vocabulary),
        Corpus(run.corpus).info if run.prepared else None,
        Config.load(run.config) if run.config.is_file() else None,
        load_summary(run.weights) if run.trained else None,
        count_parameters(run.weights) if run.trained else None,
        summaries,
        damaged,
    )
