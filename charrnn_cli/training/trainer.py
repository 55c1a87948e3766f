"""Trains a run from start to end: everything that the command line, a program or a notebook needs."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from charrnn_cli.files import locked
from charrnn_cli.network.device import pick_device
from charrnn_cli.network.memory import memory_errors
from charrnn_cli.network.ranks import Ranks, joined, started_again
from charrnn_cli.runs.folders import Run, run_to_sample
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.events import Event, record
from charrnn_cli.training.loop import train_steps
from charrnn_cli.training.setup import Setup, follow, set_up
from charrnn_cli.training.signals import Signals
from charrnn_cli.training.tensorboard import EventFiles, check_tensorboard

LESS_MEMORY = (
    "What was saved before is intact. To start over with less memory, pass `restart=True` and `accumulate=4`, or a "
    "smaller `batch_size`, `seq_length`, `hidden` or `layers`."
)


@dataclass(frozen=True)
class Started:
    """A run is set up, and its first step comes next."""

    setup: Setup
    step: int  # 0, or where the run resumes
    signals: Signals

    @property
    def device(self) -> torch.device:
        return self.setup.state.device

    @property
    def ranks(self) -> Ranks:
        return self.setup.state.ranks


def train(
    run: Run,
    *,
    preset: str | None = None,
    origin: str | None = None,
    restart: bool = False,
    gpu: bool = False,
    cpu: bool = False,
    device: str | None = None,
    tensorboard: bool = False,
    before_exit: Callable[[], None] = lambda: None,
    **settings: Any,
) -> Generator[Started | Event, None, None]:
    """Trains a prepared run, or resumes it: yields `Started`, then an event for each report, and last `End`.

    `origin` is the name or folder of a trained model to start from; the settings are those of `ModelSettings` and
    `TrainingSettings`. Ctrl-C, SIGTERM and SIGHUP end the training after the next step, and it is saved; a second one
    ends the process at once, after a call of `before_exit`. Raises UsageError, RunError, DiskError, DeviceError, and
    CharrnnError if training keeps diverging.
    """
    place = pick_device(gpu, cpu, device)
    if tensorboard:
        check_tensorboard()
    with ExitStack() as stack:
        ranks = stack.enter_context(joined())
        signals = stack.enter_context(Signals(patient=ranks.size > 1, before_exit=before_exit))
        stack.enter_context(memory_errors(LESS_MEMORY))

        def trained_model() -> Run | None:
            return run_to_sample(origin) if origin else None

        def first() -> Setup:
            stack.enter_context(locked(run.folder))
            request = Request(settings, preset, trained_model())
            return set_up(run, request, place, ranks, start_over=restart and not started_again())

        setup = ranks.in_turn(first, lambda: follow(run, place, ranks, trained_model()))
        step = setup.state.counters.step
        yield Started(setup, step, signals)
        with EventFiles(run, step) if tensorboard and ranks.first else nullcontext() as event_files:
            for event in train_steps(setup, signals.stop):
                if event_files:
                    event_files.write(record(event))
                yield event
