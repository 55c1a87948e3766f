"""The training loop: truncated backpropagation through time over many streams of text."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext

from torch import Tensor, nn

from charrnn_cli.config import TrainingSettings
from charrnn_cli.network.loss import cross_entropy
from charrnn_cli.network.memory import memory_beside_training
from charrnn_cli.runs.log import Log
from charrnn_cli.training.bookkeeping import Bookkeeping
from charrnn_cli.training.events import Event, Recovery, record
from charrnn_cli.training.loss_scale import LossScale
from charrnn_cli.training.noise import Resets, seed_dropout
from charrnn_cli.training.parts import Splitting, joined, micro_batches
from charrnn_cli.training.setup import Setup
from charrnn_cli.training.windows import Windows


def train_steps(setup: Setup, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Trains a run up to the limit in its settings, or until `stop()` is true between two steps.

    Each event is in the run's log before it is yielded. Without a validation split, the last checkpoint counts as the
    best. A step without finite gradients is skipped; several in a row lead back to the last checkpoint. Each of several
    ranks trains on its own streams, and only the first one writes to disk. Raises UsageError, DiskError, and
    CharrnnError if training keeps diverging.
    """
    state = setup.state
    with Log(setup.run.log, state.counters.step) if state.ranks.first else nullcontext() as log:
        for event in _steps(setup, stop):
            if log and isinstance(event, Recovery):
                log.back_to(event.step)
            if log:
                log.write(record(event))
            yield event


def _steps(setup: Setup, stop: Callable[[], bool]) -> Iterator[Event]:
    settings, state = setup.config.training, setup.state
    model, optimizer, ranks, numbers = state.model, state.optimizer, state.ranks, state.number_format
    memory = memory_beside_training(model, settings, state.device, ranks)
    epoch = state.counters.epoch
    windows = Windows(setup.data, settings, ranks, state.device, model.vocabulary_size, memory, epoch)
    bookkeeping = Bookkeeping(setup, len(windows), stop)
    resets = Resets(settings, ranks, state.device)
    splitting = Splitting(setup)
    network = ranks.parallel(model)
    model.train()
    yield from bookkeeping.validate()  # what an interrupted run did not finish
    yield from bookkeeping.save()
    while not bookkeeping.ended:
        learning_rate = bookkeeping.learning_rate()  # warm-up, then the schedule
        x, y = windows.at(state.counters.epoch, state.counters.window)  # (B, T): ids, and the ids that follow them
        seed_dropout(settings.seed, state.counters.step, ranks.rank)
        hidden = resets.apply(state.hidden, state.counters.step)  # zero for a few streams
        parts = micro_batches(x, y, hidden, splitting.parts)  # usually one
        with splitting.attempt():
            for part in parts:
                sends = nullcontext() if part.last else ranks.local_gradients(network)  # the last one sends their sum
                with sends, numbers.step():
                    with numbers.forward():
                        logits, part.hidden = network(part.x, part.hidden)  # (B, T, V)
                    part.loss = cross_entropy(logits, part.y) * (len(part.x) / settings.batch_size)
                    del logits  # a variable that holds them also holds all that the backward pass needs
                    factor = _gradient_factor(settings, y, ranks.size)
                    state.loss_scale.apply(part.loss * factor).backward()  # type: ignore[no-untyped-call]
        if splitting.failed:  # out of memory: the same step again, in more parts
            yield splitting.split_further()
            continue
        finite = _clip(model.parameters(), settings, state.loss_scale)  # (): whether all gradients are finite
        optimizer.step(learning_rate, ~finite, state.counters.step)
        model.zero_grad()
        state.add_step(finite, *joined(parts))
        bookkeeping.advance()
        yield from bookkeeping.report(learning_rate)  # each of these only if it is due
        yield from bookkeeping.validate()
        yield from bookkeeping.save()
    yield bookkeeping.end()


def _gradient_factor(settings: TrainingSettings, y: Tensor, ranks: int) -> int:
    """The factor from the mean loss per token to the loss whose gradients are taken.

    It contains the number of ranks, because `Ranks.parallel` divides the sum of their gradients by it.
    """
    return (y.shape[1] if settings.loss_per == "window" else 1) * ranks


def _clip(parameters: Iterable[nn.Parameter], settings: TrainingSettings, loss_scale: LossScale) -> Tensor:
    """Clips the gradients to `clip_value`, then their norm to `clip`, and returns whether all are finite, ()."""
    parameters = list(parameters)
    finite = loss_scale.remove(parameters)
    if settings.clip_value:
        nn.utils.clip_grad_value_(parameters, settings.clip_value)
    norm = nn.utils.clip_grad_norm_(parameters, settings.clip or math.inf)
    return finite & norm.isfinite()
