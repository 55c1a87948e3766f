"""charrnn train: learns a prepared text, or goes on learning it."""

import os
import signal
import sys
from contextlib import ExitStack, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn_cli.commands.completion import complete_models, complete_presets, complete_runs
from charrnn_cli.commands.options import CpuOption, DeviceOption, GpuOption, with_settings
from charrnn_cli.config import OUTPUT, RUN, ModelSettings, TrainingSettings

if TYPE_CHECKING:
    import torch

    from charrnn_cli.training.loop import End, Recovery, Report
    from charrnn_cli.training.setup import Setup

PREVIEW_LENGTH = 200  # tokens
TIMED_REPORT = 2  # how long an epoch takes is known from it: the first steps are slower
LESS = (
    "What was saved before is whole. Begin anew with less: --restart and --accumulate 4, or a smaller --batch-size, "
    "--seq-length, --hidden or --layers."
)


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
            help="Start with the weights of this model: a run, a bundled model or a folder.  [default: random weights]",
            rich_help_panel=RUN,
            autocompletion=complete_models,
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
    --preset auto fits the network and its training to the text, the time and the device.

    \b
    charrnn train
    charrnn train anna --minutes 60
    charrnn train letters --from anna --minutes 1
    charrnn train anna --gpu --preset anna
    """
    from charrnn_cli.runs.folders import to_sample, to_train

    run = to_train(name)
    from charrnn_cli.files import locked
    from charrnn_cli.network.device import pick_device
    from charrnn_cli.network.memory import memory_errors
    from charrnn_cli.network.ranks import joined, started_again
    from charrnn_cli.terminal.bars import TrainingBar
    from charrnn_cli.terminal.console import new_console, say
    from charrnn_cli.training.loop import End, Recovery, Report, Validating, Validation, record
    from charrnn_cli.training.loop import train as train_run
    from charrnn_cli.training.setup import Setup, follow, set_up
    from charrnn_cli.training.tensorboard import EventFiles

    place = pick_device(gpu, cpu, device)
    with ExitStack() as stack:
        ranks = stack.enter_context(joined())
        signals = stack.enter_context(_Signals(patient=ranks.size > 1))
        stack.enter_context(memory_errors(LESS))

        def begin() -> Setup:
            stack.enter_context(locked(run.folder))
            model = to_sample(origin) if origin else None
            return set_up(run, preset, settings, restart and not started_again(), place, model, ranks)

        console = new_console(silent=not ranks.first)
        setup = ranks.in_turn(begin, lambda: follow(run, place, ranks))
        begun, reports = setup.state.numbers.step, 0
        say(console, _what(setup, place))
        with (
            EventFiles(run, begun) if tensorboard and ranks.first else nullcontext() as events,
            TrainingBar(
                console, setup.config.training.bound is not None, setup.config.training.epochs, setup.vocabulary.level
            ) as bar,
        ):
            for event in train_run(run, setup.data, setup.config.training, setup.state, place, signals.stopping):
                if events:
                    events.write(record(event))
                match event:
                    case Report():
                        bar.report(event)
                        reports += 1
                        if reports == TIMED_REPORT:
                            say(console, _how_long(setup, event))
                    case Validating():
                        bar.validating(event)
                    case Validation():
                        bar.validation(event, _preview(setup) if preview and ranks.first else None)
                    case Recovery():
                        say(console, _recovered(event))
                    case End():
                        end = event
        say(console, _how_it_ended(setup, end, already=end.step == begun))
    code = 128 + signals.received if signals.received else 0
    ranks.leave(code)
    if code:
        raise typer.Exit(code)


class _Signals:
    """Ctrl-C, SIGTERM and SIGHUP ask to stop after the step; a second one ends the process at once.

    Not where it is `patient`: torchrun passes on a signal that came from the terminal already.
    """

    def __init__(self, patient: bool) -> None:
        self._patient = patient

    def __enter__(self) -> "_Signals":
        self.received = 0
        names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one where a terminal is closed
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stopping(self) -> bool:
        """Whether it is time to stop."""
        return bool(self.received)

    def _receive(self, number: int, frame: object) -> None:
        if self.received and not self._patient:
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the bar hid the cursor
            os._exit(128 + number)  # files are renamed when they are whole: none is harmed
        self.received = number


def _what(setup: "Setup", device: "torch.device") -> str:
    """What is about to be trained, and on what."""
    from charrnn_cli.network.memory import memory_needed
    from charrnn_cli.text.tokenizer import UNITS
    from charrnn_cli.wording import network, recipe

    model, training, tokens = setup.config.model, setup.config.training, setup.data
    held_out = "nothing" if tokens.valid is None else f"{len(tokens.valid):,}"
    step = setup.state.numbers.step
    start = f"going on from step {step:,}" if step else f"preset {setup.config.preset}"
    start += f" ({setup.why})" if setup.why else ""
    if setup.matched:
        what = UNITS[setup.vocabulary.level]
        start += f", from {setup.matched.origin}: {setup.matched.kept:,} {what} known, {setup.matched.new:,} new"
    parameters = setup.state.model.parameter_count
    needed = memory_needed(model, training, len(setup.vocabulary), parameters)
    return (
        f"{setup.run.name}: {len(tokens.train):,} {UNITS[setup.vocabulary.level]} to learn, {held_out} held out\n"
        f"model: {network(model)}, "
        f"{f'embedding {model.embedding}' if model.embedding else 'one-hot input'}, "
        f"{'locked ' if model.locked_dropout else ''}dropout {model.dropout:g}"
        f"{f' (input {model.input_dropout:g})' if model.input_dropout else ''}"
        f"{f', weight drop {model.weight_drop:g}' if model.weight_drop else ''}"
        f"{', residual' if model.residual else ''}{', layer norm' if model.layer_norm else ''}"
        f"{', tied' if model.tie_weights else ''}: "
        f"{parameters:,} parameters, about {needed / 1e9:.1f} GB of memory\n"
        f"training: {recipe(training)}, seed {training.seed}\n"
        f"{start}, on {_where(device, setup.state.ranks.size)}"
    )


def _where(device: "torch.device", processes: int) -> str:
    """The device, and how to use all that are here."""
    import torch

    from charrnn_cli.network.device import device_name

    name = device_name(device)
    if processes > 1:
        return f"{processes} processes, each with the {name}"
    gpus = torch.cuda.device_count() if device.type == "cuda" else 1
    if gpus > 1:
        name += (
            f"\n{gpus} GPUs are here, and this is one. For all: torchrun --nproc-per-node {gpus} -m charrnn_cli train"
        )
    return f"the {name}"


def _recovered(event: "Recovery") -> str:
    """What was done about a loss that exploded."""
    where = f"back to step {event.step:,}" if event.step else "begun anew"
    return f"training has exploded at step {event.exploded:,}: {where}, with half the rate"


def _how_long(setup: "Setup", report: "Report") -> str:
    """How long an epoch takes, and how many the run's bound allows."""
    from charrnn_cli.wording import about, count, duration

    training, seconds = setup.config.training, len(setup.data.train) / report.tokens_per_second
    takes = f"an epoch takes {duration(seconds)}"
    match training.bound:
        case None:
            return takes
        case "minutes", minutes:
            return f"{takes}: {about(60 * minutes / seconds)} fit into {count(minutes, 'minutes')}"
        case "epochs", epochs:
            return f"{takes}: {count(epochs, 'epochs')} take {duration(epochs * seconds)}"
        case _, steps:
            epochs = steps * training.batch_size * training.seq_length / len(setup.data.train)
            return f"{takes}: {count(steps, 'steps')} are {about(epochs)} epochs and take {duration(epochs * seconds)}"


def _preview(setup: "Setup") -> str | None:
    """How the model writes by now; None where its weights are broken, which the loop is about to say."""
    from charrnn_cli.config import SamplingSettings
    from charrnn_cli.errors import RunError
    from charrnn_cli.generation.generate import Piece, generate
    from charrnn_cli.generation.numpy_engine import NumpyEngine
    from charrnn_cli.network.model import get_weights

    engine = NumpyEngine(get_weights(setup.state.model), setup.config.model)
    settings = SamplingSettings(length=PREVIEW_LENGTH)
    try:
        events = generate(engine, setup.vocabulary, [], settings, setup.config.training.seed)
        return "".join(event.text for event in events if isinstance(event, Piece))
    except RunError:
        return None


def _how_it_ended(setup: "Setup", end: "End", already: bool) -> str:
    """Where the run is, and what to type next."""
    name, typed, training, numbers = setup.run.name, setup.run.quoted, setup.config.training, setup.state.numbers
    if not end.finished:
        saved = f"saved at step {end.step:,}" if end.step else "stopped before the first step"
        return f"{name}: {saved}. To go on: charrnn train {typed}"
    from charrnn_cli.network.loss import perplexity
    from charrnn_cli.training.loop import out_of_patience
    from charrnn_cli.wording import count

    if out_of_patience(training, numbers) or training.bound is None:
        why = f"no better validation loss in {count(numbers.stalled, 'validations')}, {count(end.step, 'steps')}"
        more = f"--patience {2 * numbers.stalled}"
    else:
        bound, amount = training.bound
        why = count(amount, bound) + ("" if bound == "steps" else f", {count(end.step, 'steps')}")
        more = f"--{bound} {2 * max(amount, round(numbers.done(bound))):.15g}"
    best = ""
    if numbers.best_loss is not None:
        word = f" (perplexity {perplexity(numbers.best_loss):.2f})" if setup.vocabulary.level == "word" else ""
        best = f", best validation loss {numbers.best_loss:.4f}{word} at step {numbers.best_step:,}"
    return (
        f"{name} is finished{' already' if already else ''}: {why}{best}.\n"
        f"To write: charrnn sample --model {typed}\n"
        f"To train it further: charrnn train {typed} {more}\n"
        f"To begin anew: charrnn train {typed} --restart"
    )
