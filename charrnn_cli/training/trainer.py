"""Trains a run from start to end, for the command line, programs and notebooks."""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from charrnn_cli.config import BOUNDS, FROM_NOTHING, ModelSettings, TrainingSettings
from charrnn_cli.files import locked
from charrnn_cli.launcher import restarts
from charrnn_cli.network.device import pick_device, share_cores
from charrnn_cli.network.memory import memory_errors
from charrnn_cli.network.ranks import Ranks, joined
from charrnn_cli.runs.folders import RUNS, Run, check_trained, run_to_sample, run_to_train
from charrnn_cli.setting import check_function, check_path, check_text, defaults
from charrnn_cli.training.closing import closed_at_exit
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.events import Event, record
from charrnn_cli.training.loop import train_steps
from charrnn_cli.training.setup import Setup, contents, follow, set_up
from charrnn_cli.training.signals import Signals
from charrnn_cli.training.tensorboard import EventFiles, check_tensorboard
from charrnn_cli.wording import check_names

LESS_MEMORY = (
    "Everything saved before is intact. To resume with less memory, pass a larger `accumulate`. To start over with "
    "less, pass `restart=True` and a smaller `batch_size`, `seq_length`, `hidden` or `layers`."
)


@dataclass(frozen=True)
class Started:
    """Training is set up, and its first step comes next."""

    setup: Setup
    step: int  # 0, or where the run resumes
    signals: Signals

    @property
    def device(self) -> torch.device:
        return self.setup.state.device

    @property
    def ranks(self) -> Ranks:
        return self.setup.state.ranks


@closed_at_exit
def train(
    run: Run | str | None = None,
    *,
    preset: str | None = None,
    origin: Run | Path | str | None = None,
    restart: bool = False,
    gpu: bool = False,
    cpu: bool = False,
    device: str | None = None,
    tensorboard: bool = False,
    before_exit: Callable[[], None] | None = None,
    root: Path | str = RUNS,
    **settings: Any,
) -> Generator[Started | Event, None, None]:
    """Trains a prepared run, or resumes it. Yields `Started`, then events such as `Report`, and finally `End`.

    `run` is a run or its name in the folder `root`; by default it is the run prepared last. `preset` is a name that
    `charrnn presets` lists, or "auto". `origin` is the name or folder of a trained model to start from, or "none" to
    start with random weights; by default, the preset auto starts from a bundled model where that helps. `restart`
    discards the trained model and starts over. `gpu` requires a CUDA GPU, `cpu` uses the CPU, and `device` is the name
    of any PyTorch device. `tensorboard` also writes event files. The `settings` are those of `ModelSettings` and
    `TrainingSettings`, such as `minutes=1`.

    Ctrl-C (an interrupt in Jupyter), SIGTERM and SIGHUP stop the training after the current step and save it. So does
    closing the generator, which happens when a program leaves its loop over `train(...)`. A second signal does what it
    does without charrnn; with `before_exit`, it calls that function and ends the process at once. Signals are handled
    only in the main thread.

    Raises UsageError, RunError, DiskError, DeviceError, and CharrnnError if training keeps diverging.
    """
    check_names(settings, {**defaults(ModelSettings), **defaults(TrainingSettings)}, "training", train)
    settings = {name: value for name, value in settings.items() if value is not None or name not in BOUNDS}
    folder = check_path("root", root)
    if preset is not None:
        check_text("preset", preset)
    if before_exit is not None:
        check_function("before_exit", before_exit)
    chosen = run if isinstance(run, Run) else run_to_train(run, folder)
    place = pick_device(gpu, cpu, device)
    if tensorboard:
        check_tensorboard()
    with ExitStack() as stack:
        ranks = stack.enter_context(joined())
        share_cores(place)
        signals = stack.enter_context(Signals(patient=ranks.size > 1, before_exit=before_exit))
        stack.enter_context(memory_errors(LESS_MEMORY))

        def trained_model() -> Run | None:
            return None if origin in (None, FROM_NOTHING) else _trained(origin, folder)

        def first() -> Setup:
            stack.enter_context(locked(chosen.folder))
            request = Request(settings, preset, trained_model(), from_nothing=origin == FROM_NOTHING)
            return set_up(chosen, request, place, ranks, start_over=restart and not restarts())

        first_setup = ranks.on_first(first)
        ranks.check_same(contents(chosen), str(chosen.folder.resolve()))
        setup = first_setup or follow(chosen, place, ranks, trained_model())
        step = setup.state.counters.step
        yield Started(setup, step, signals)
        with EventFiles(chosen, step) if tensorboard and ranks.first else nullcontext() as event_files:
            events = train_steps(setup, signals.stop)
            for event in events:
                if event_files:
                    event_files.write(record(event))
                try:
                    yield event
                except GeneratorExit:  # `events` still runs: it ends as after Ctrl-C
                    signals.ask_to_stop()
                    deque(events, maxlen=0)
                    raise


def _trained(origin: Any, root: Path) -> Run:
    """The model to start from, from the argument `origin`. Raises RunError, UsageError."""
    if isinstance(origin, Run):
        return check_trained(origin)
    return run_to_sample(str(check_path("origin", origin)), root)
