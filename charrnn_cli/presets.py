"""Named settings with their source, and `auto`: settings fit for the corpus and the device."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from charrnn_cli.config import ModelSettings, TrainingSettings

AUTO = "auto"
AUTO_MINUTES = 10.0
DROPOUT = ((3, 0.0), (5, 0.1), (8, 0.2), (20, 0.3), (math.inf, 0.5))  # below so many epochs


@dataclass(frozen=True)
class Preset:
    """Settings for a run."""

    model: ModelSettings
    training: TrainingSettings


def anna() -> Preset:
    """The Anna Karenina char-RNN tutorial's model to the letter, its three known defects mended.

    One-hot input; dropout on both layers' outputs, as its cells are wrapped; a constant rate. The random resets of the
    hidden state are ours: without them no model knows how a text begins.
    """
    return Preset(
        ModelSettings(hidden=512, layers=2, embedding=0, dropout=0.5, residual=False),
        TrainingSettings(
            batch_size=100,
            seq_length=100,
            learning_rate=0.001,
            schedule="constant",
            warmup=0,
            clip=5.0,
            epochs=20,
            checkpoint_every=200,
        ),
    )


def auto(train_tokens: int, minutes: float | None, epochs: float | None, gpu: bool) -> Preset:
    """Settings fit for a corpus of `train_tokens`, a budget and a device.

    The numbers come from runs on two CPU cores on tinyshakespeare (1.1 MB) and anna.txt (2 MB): many small batches beat
    few large ones at equal time; a small model learns more in two minutes; a text that is read more often needs more
    dropout. The GPU's batch follows the tutorial's and is not tuned.
    """
    if minutes is None and epochs is None:
        minutes = AUTO_MINUTES
    small = minutes is not None and minutes <= 2
    model = ModelSettings(hidden=256, layers=1) if small else ModelSettings()
    training = TrainingSettings(learning_rate=4e-3 if small else 3e-3, minutes=AUTO_MINUTES)
    tokens_per_minute = 5_000_000 if gpu else 1_400_000 if small else 700_000
    expected_epochs = epochs or (minutes or 0) * tokens_per_minute / train_tokens
    dropout = next((dropout for epochs, dropout in DROPOUT if expected_epochs < epochs), DROPOUT[-1][1])
    model = dataclasses.replace(model, dropout=dropout)
    if gpu:
        model = dataclasses.replace(model, hidden=512)
        training = dataclasses.replace(training, batch_size=64, seq_length=100)
    streams = max(1, min(training.batch_size, (train_tokens - 1) // training.seq_length))
    return Preset(model, dataclasses.replace(training, batch_size=streams))


PRESETS = {"anna": anna}


def with_changes(preset: Preset, flags: dict[str, Any]) -> Preset:
    """The preset with the settings that the user named; a bound that is named takes the place of the preset's."""
    model = {name: value for name, value in flags.items() if name in ModelSettings.__dataclass_fields__}
    training = {name: value for name, value in flags.items() if name in TrainingSettings.__dataclass_fields__}
    return Preset(dataclasses.replace(preset.model, **model), preset.training.with_changes(training))
