"""What is known of a run or model, gathered from its files."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from charrnn_cli.checkpoint import Config, Summary, checkpoints, count_parameters, load_summary
from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.runs import Run
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


def network(settings: ModelSettings) -> str:
    """The shape of a network in a few words."""
    cell = "RNN" if settings.cell == "rnn" else settings.cell.upper()
    return f"{cell} {settings.layers} x {settings.hidden}"


def recipe(settings: TrainingSettings) -> str:
    """How a network is trained, in a few words."""
    until = "until validation stops getting better"
    if settings.bound:
        bound, amount = settings.bound
        until = count(amount, bound)
    names = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}
    if settings.schedule == "epoch-decay":
        schedule = f"times {settings.lr_decay:.3g} each epoch after {settings.max_epoch}"
    else:
        schedule = settings.schedule
    clips = [f"clip {settings.clip:g}"] if settings.clip else []
    clips += [f"clip by value {settings.clip_value:g}"] if settings.clip_value else []
    patience = [f"patience {settings.patience}"] if settings.patience is not None else []
    return ", ".join(
        (
            until,
            f"batch {settings.batch_size} x {settings.seq_length}",
            f"{names[settings.optimizer]} {settings.learning_rate:g} ({schedule})",
            *clips,
            *patience,
        )
    )


def memory_needed(model: ModelSettings, training: TrainingSettings, vocabulary_size: int, parameters: int) -> float:
    """Bytes that a training takes at its peak, within a quarter: found by measuring (tests/benchmarks/README.md)."""
    V, tokens = vocabulary_size, -(-training.batch_size // training.accumulate) * training.seq_length
    program = 340e6  # Python and torch
    weights = 28 * parameters  # with gradients, two moments, and copies of all while they are saved
    layers = 4 * 13 * tokens * model.layers * model.hidden  # what the way back needs
    logits = 4 * (5 * tokens * V + 4 * min(64 * 64 * V, 1 << 25))  # of a step and of a validation
    return program + weights + layers + logits


def about(amount: float) -> str:
    """An estimate, to two digits: 0.26, 5.6, 110, 1,200."""
    return f"{amount:.2g}" if amount < 10 else f"{float(f'{amount:.2g}'):,.0f}"


def count(amount: float, units: str) -> str:
    """1 step, 2,000 steps, 0.5 minutes."""
    return f"{amount:,.10g} {units.removesuffix('s') if amount == 1 else units}"
