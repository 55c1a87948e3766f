"""Presets: settings with a name and a source. To add one, add an entry in `PRESETS`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from charrnn_cli.config import Level, ModelSettings, TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.network.cells import CELLS
from charrnn_cli.wording import did_you_mean

AUTO = "auto"
AUTO_SOURCE = "fitted to the text, the time and the device"
NEEDS = {  # settings that have an effect only with some values of another setting
    "weight_decay": ("optimizer", ("adamw", "soap")),
    "forget_bias": ("cell", tuple(name for name, cell in CELLS.items() if cell.forget_gate is not None)),
    "max_epoch": ("schedule", ("epoch-decay",)),
    "lr_decay": ("schedule", ("epoch-decay", "plateau")),
}
LETTERS: tuple[Level, ...] = ("char", "byte")
WORDS: tuple[Level, ...] = ("word",)


@dataclass(frozen=True)
class Preset:
    """Settings of a run, the levels that they are for, and where they come from."""

    model: ModelSettings
    training: TrainingSettings
    levels: tuple[Level, ...]
    source: str


def anna() -> Preset:
    """The model of the Anna Karenina char-RNN tutorial, without its three known defects.

    It has one-hot input, dropout on the outputs of both layers, and a constant learning rate. The random resets of the
    hidden state are ours: without them a model does not learn how a text starts.
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
        LETTERS,
        "Anna Karenina char-RNN tutorial",
    )


def ptb(
    hidden: int,
    steps: int,
    scale: float,
    keep: float,
    max_epoch: int,
    epochs: int,
    decay: float,
    clip: float = 5.0,
    layers: int = 2,
) -> Preset:
    """A model of the TensorFlow PTB tutorial (Zaremba et al., arXiv 1409.2329), with the numbers of its configs.

    Its learning rate and its clip are for a loss that is summed over the tokens of a window and averaged over the
    streams. Dropout is on the embedding, between layers and before the output layer; the learning rate decays after
    `max_epoch` epochs. The random resets of the hidden state are ours, as in `anna`.
    """
    return Preset(
        ModelSettings(
            hidden=hidden,
            layers=layers,
            embedding=hidden,
            dropout=1 - keep,
            input_dropout=1 - keep,
            residual=False,
            forget_bias=0.0,
            init_scale=scale,
        ),
        TrainingSettings(
            batch_size=20,
            seq_length=steps,
            optimizer="sgd",
            learning_rate=1.0,
            schedule="epoch-decay",
            max_epoch=max_epoch,
            lr_decay=decay,
            warmup=0,
            clip=clip,
            loss_per="window",
            reset=0.01,
            epochs=epochs,
        ),
        WORDS,
        "TensorFlow PTB tutorial, arXiv 1409.2329",
    )


def ptb_small() -> Preset:
    """Published: validation perplexity 121.39, test 115.91."""
    return ptb(hidden=200, steps=20, scale=0.1, keep=1.0, max_epoch=4, epochs=13, decay=0.5)


def ptb_medium() -> Preset:
    """Published: validation perplexity 86.16, test 82.07."""
    return ptb(hidden=650, steps=35, scale=0.05, keep=0.5, max_epoch=6, epochs=39, decay=0.8)


def ptb_large() -> Preset:
    """Published: validation perplexity 82.62, test 78.29."""
    return ptb(hidden=1500, steps=35, scale=0.04, keep=0.35, max_epoch=14, epochs=55, decay=1 / 1.15, clip=10.0)


def ptb_test() -> Preset:
    """A smoke test: it is too small to learn much."""
    return ptb(hidden=2, steps=2, scale=0.1, keep=1.0, max_epoch=1, epochs=1, decay=0.5, clip=1.0, layers=1)


def ptb_modern() -> Preset:
    """Our model for the same text, which learns it better in an hour on two CPU cores.

    Like AWD-LSTM (Merity et al., arXiv 1708.02182) it has tied weights, weight drop, weight decay and much dropout. It
    does not have AWD-LSTM's three layers, averaged weights and hundreds of epochs.
    """
    return Preset(
        ModelSettings(
            hidden=448,
            layers=2,
            embedding=448,
            dropout=0.5,
            input_dropout=0.3,
            weight_drop=0.2,
            layer_norm=True,
            tie_weights=True,
        ),
        TrainingSettings(
            batch_size=20,
            seq_length=35,
            optimizer="adamw",
            weight_decay=0.2,
            learning_rate=0.003,
            calibrate=True,
            reset=0.01,
            epochs=18,
        ),
        WORDS,
        "ours, for an hour on two CPU cores",
    )


def script() -> Preset:
    """The model of the TV-script tutorial: word level, embedding, two layers, Adam, each gradient clipped to 1.

    The tutorial lets its reader choose the sizes. These are ours, and so are the random resets of the hidden state.
    """
    return Preset(
        ModelSettings(hidden=256, layers=2, embedding=256, dropout=0.0, residual=False),
        TrainingSettings(
            batch_size=128,
            seq_length=20,
            learning_rate=0.001,
            schedule="constant",
            warmup=0,
            clip=0.0,
            clip_value=1.0,
            epochs=50,
        ),
        WORDS,
        "TV-script tutorial",
    )


PRESETS: dict[str, Callable[[], Preset]] = {
    "anna": anna,
    "script": script,
    "ptb-small": ptb_small,
    "ptb-medium": ptb_medium,
    "ptb-large": ptb_large,
    "ptb-test": ptb_test,
    "ptb-modern": ptb_modern,
}


def named(name: str, level: Level) -> Preset:
    """The preset called `name`. Raises UsageError if there is none, or if it is for another level."""
    if name not in PRESETS:
        guess = did_you_mean(name, (AUTO, *PRESETS))
        raise UsageError(
            f"`preset` must be one of {', '.join((AUTO, *PRESETS))}, got {name!r}.{guess} See: charrnn presets"
        )
    preset = PRESETS[name]()
    if level not in preset.levels:
        suitable = ", ".join((AUTO, *(other for other, make in PRESETS.items() if level in make().levels)))
        raise UsageError(
            f"`preset={name}` is for the level {' or '.join(preset.levels)}, but this run has level {level}. Pass one "
            f"of {suitable}, or prepare the text again with another `name` and `level={preset.levels[0]}`."
        )
    return preset


def with_changes(preset: Preset, settings: Mapping[str, Any]) -> Preset:
    """The preset with some settings replaced; a new limit replaces the old one. Raises UsageError."""
    training = preset.training.with_changes(_fields_of(TrainingSettings, settings))
    changed = replace(preset, model=changed_model(preset.model, settings), training=training)
    _refuse_settings_without_effect(changed, settings)
    return changed


def changed_model(model: ModelSettings, settings: Mapping[str, Any]) -> ModelSettings:
    """The network with some settings replaced. Raises UsageError.

    If weights are tied and only one of the two sizes is passed, the other one follows it.
    """
    changes = _fields_of(ModelSettings, settings)
    if changes.get("tie_weights", model.tie_weights):
        if "embedding" not in changes:
            changes["embedding"] = changes.get("hidden", model.hidden)
        elif "hidden" not in changes and changes["embedding"]:
            changes["hidden"] = changes["embedding"]
    return replace(model, **changes)


def _fields_of(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are fields of this dataclass."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in settings.items() if name in names}


def _refuse_settings_without_effect(preset: Preset, settings: Mapping[str, Any]) -> None:
    values = {**asdict(preset.model), **asdict(preset.training)}
    for name, (other, suitable) in NEEDS.items():
        if name in settings and values[other] not in suitable:
            raise UsageError(
                f"`{name}` has no effect with `{other}={values[other]}`. Leave it out, or pass "
                f"{' or '.join(f'`{other}={value}`' for value in suitable)}."
            )
