"""charrnn train: trains on a prepared text, or resumes training."""

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn_cli.commands.completion import complete_origins, complete_presets, complete_runs
from charrnn_cli.commands.options import CpuOption, DeviceOption, GpuOption, with_settings
from charrnn_cli.config import OUTPUT, RUN, ModelSettings, TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from charrnn_cli.generation.engine import Engine
    from charrnn_cli.training.events import Event
    from charrnn_cli.training.setup import Setup
    from charrnn_cli.training.trainer import Started

PREVIEW_TOKENS = 200
TIMED_REPORT = 2  # the report that says how long an epoch takes: the steps of the first one are slower


@with_settings(ModelSettings, TrainingSettings, negatable=True)
def train(
    name: Annotated[
        str | None,
        typer.Argument(help="The run to train.  [default: the one prepared last]", autocompletion=complete_runs),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Named settings: auto, or a name that charrnn presets lists.  [default: auto]",
            rich_help_panel=RUN,
            autocompletion=complete_presets,
        ),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Start with the weights of this model: a run, a bundled model or a folder; none for random weights.  "
            "[default: a bundled model where that helps]",
            rich_help_panel=RUN,
            autocompletion=complete_origins,
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="Start over; the trained model and its checkpoints are lost.", rich_help_panel=RUN
        ),
    ] = False,
    gpu: GpuOption = False,
    cpu: CpuOption = False,
    device: DeviceOption = None,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard", help="Also write event files for tensorboard --logdir runs.", rich_help_panel=OUTPUT
        ),
    ] = False,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview/--no-preview",
            help="Show a short sample at each validation.  [default: on]",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = True,
    *,
    settings: dict[str, Any],
) -> None:
    """Train on a prepared text, or resume training.

    Ctrl-C saves. The same command resumes, with the settings of the run.
    --preset auto fits the network and its training to the text, the time and the device. A new run starts from a
    bundled model where that helps.

    \b
    charrnn train
    charrnn train anna --minutes 60
    charrnn train letters --from anna --minutes 1
    charrnn train anna --gpu --preset anna
    """
    from charrnn_cli.runs.folders import run_to_train

    run = run_to_train(name)
    from charrnn_cli.training import trainer

    events = trainer.train(
        run,
        preset=preset,
        origin=origin,
        restart=restart,
        gpu=gpu,
        cpu=cpu,
        device=device,
        tensorboard=tensorboard,
        before_exit=_show_cursor,
        **settings,
    )
    with closing(events):
        started = next(events)
        assert isinstance(started, trainer.Started)
        _show(started, events, preview)
    code = started.signals.exit_code
    started.ranks.leave(code)
    if code:
        raise typer.Exit(code)


def _show(started: "Started", events: "Iterator[Started | Event]", preview: bool) -> None:
    """Shows the events of training on stderr; with several ranks, only the first one shows anything."""
    from charrnn_cli.terminal.bars import TrainingBar
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.terminal.reports import (
        describe_end,
        describe_epoch_time,
        describe_full_memory,
        describe_recovery,
        describe_start,
        describe_thread_change,
    )
    from charrnn_cli.text.corpus import Corpus
    from charrnn_cli.training.events import End, MemoryFull, Recovery, Report, ThreadChange, Validating, Validation

    setup, training, reports = started.setup, started.setup.config.training, 0
    level, characters = setup.vocabulary.level, Corpus(setup.run.corpus).info.characters_per_token or 1.0
    told_of_load = False
    console = new_console(silent=not started.ranks.first)
    say(console, describe_start(started))
    with TrainingBar(console, training.bound is not None, training.epochs, level, characters) as bar:
        for event in events:
            match event:
                case Report():
                    bar.report(event)
                    reports += 1
                    if reports == TIMED_REPORT:
                        say(console, describe_epoch_time(setup, event))
                case Validating():
                    bar.validating(event)
                case Validation():
                    bar.validation(event, _preview(setup) if preview and started.ranks.first else None)
                case Recovery():
                    say(console, describe_recovery(event))
                case ThreadChange():
                    if not told_of_load:
                        say(console, describe_thread_change(event))
                    told_of_load = True
                case MemoryFull():
                    say(console, describe_full_memory(event))
                case End():
                    end = event
    say(console, describe_end(started, end))


def _preview(setup: "Setup") -> str | None:
    """A short text by the model as it is now; None if its weights are not finite, which training handles."""
    from charrnn_cli.config import SamplingSettings
    from charrnn_cli.errors import RunError
    from charrnn_cli.generation.reading import read_tokens
    from charrnn_cli.generation.texts import Piece, write_texts

    engine = _preview_engine(setup)
    settings = SamplingSettings(length=PREVIEW_TOKENS)
    try:
        start = read_tokens(engine, setup.vocabulary, [])
        events = write_texts(engine, setup.vocabulary, start, settings, setup.config.training.seed)
        return "".join(event.text for event in events if isinstance(event, Piece))
    except RunError:
        return None


def _preview_engine(setup: "Setup") -> "Engine[Any]":
    """An engine with the weights as they are now. Other ranks wait for it, so a GPU that trains also writes."""
    from charrnn_cli.generation.numpy_engine import NumpyEngine
    from charrnn_cli.generation.torch_engine import TorchEngine
    from charrnn_cli.network.model import get_weights

    weights, settings, device = get_weights(setup.state.model), setup.config.model, setup.state.device
    return NumpyEngine(weights, settings) if device.type == "cpu" else TorchEngine(weights, settings, device)


def _show_cursor() -> None:
    """Shows the cursor of the terminal again, which the bar hides."""
    if sys.stderr.isatty():
        os.write(2, b"\x1b[?25h\n")
