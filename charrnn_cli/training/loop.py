"""Truncated backpropagation through time: one visible loop that yields reports; knows no terminal."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import CharrnnError, DiskError, UsageError
from charrnn_cli.network.device import free_memory
from charrnn_cli.network.loss import Score, cross_entropy, perplexity
from charrnn_cli.network.model import State
from charrnn_cli.network.precision import use_bfloat16
from charrnn_cli.network.ranks import Ranks
from charrnn_cli.runs.checkpoints import checkpoints, drop_checkpoints, save_checkpoint
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import Log
from charrnn_cli.text.batches import Batches, stream_length
from charrnn_cli.text.token_ids import TokenIds
from charrnn_cli.text.corpus import check_ids
from charrnn_cli.training.evaluation import evaluate
from charrnn_cli.training.noise import reset, seed_dropout
from charrnn_cli.training.pace import Pace
from charrnn_cli.training.schedule import learning_rate
from charrnn_cli.training.state import Numbers, TrainingState


@dataclass(frozen=True)
class Report:
    """How training goes."""

    step: int
    epoch: float
    progress: float | None  # 0 to 1 of the run; None: nothing bounds it
    loss: float  # nats per token, mean since the last report
    perplexity: float  # per token
    rate: float
    skipped: int  # steps whose loss or gradients were no numbers, in all
    seconds_per_batch: float
    tokens_per_second: float
    seconds: float  # of training so far
    seconds_left: float | None  # None: nobody knows yet


@dataclass(frozen=True)
class Validating:
    """A validation begins."""

    step: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Validation:
    """The loss on the whole validation split."""

    step: int
    epoch: float
    valid_loss: float  # nats per token
    valid_bits: float  # bits per token; at char level, bits per character
    valid_perplexity: float  # per token
    best: bool
    seconds: float


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    step: int
    best: bool
    save_seconds: float
    seconds: float


@dataclass(frozen=True)
class Recovery:
    """Training has exploded, and goes on from an earlier checkpoint with half the rate."""

    step: int  # where it goes on; 0: it begins anew
    exploded: int  # the step at which there were no numbers any more
    recoveries: int  # so many by now
    seconds: float


@dataclass(frozen=True)
class End:
    """Training is over, for good (`finished`) or because it was asked to stop."""

    step: int
    finished: bool
    seconds: float


Event = Report | Validating | Validation | Saved | Recovery | End
IN_A_ROW = 5  # steps without a finite loss after which training has exploded
RECOVERIES = 3  # from that, at most
ROOM = 0.5  # of a GPU's free memory, for ids


@dataclass(frozen=True)
class Data:
    """The ids that training reads, memory maps that stay on disk until windows of them are cut."""

    train: TokenIds
    valid: TokenIds | None


def train(
    run: Run,
    data: Data,
    settings: TrainingSettings,
    now: TrainingState,
    device: torch.device,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Trains from `now` on until the bound in `settings` is reached, or `stop()` says so between two steps.

    Every event is in the run's log before it is yielded. Where there is no validation split, the last checkpoint is
    the best. A step without a finite loss or finite gradients is skipped; several in a row lead back to the last
    checkpoint. Of several ranks each trains on its own streams, and the first one alone writes to disk. Raises
    UsageError, CharrnnError where that does not help, DiskError.
    """
    with Log(run.log, now.numbers.step) if now.ranks.first else nullcontext() as log:
        for event in _loop(run, data, settings, now, device, stop):
            if log and isinstance(event, Recovery):
                log.back_to(event.step)
            if log:
                log.write(record(event))
            yield event


def record(event: Event) -> dict[str, Any]:
    """An event as the log has it."""
    return {"kind": type(event).__name__.lower(), **dataclasses.asdict(event)}


def _loop(
    run: Run,
    data: Data,
    settings: TrainingSettings,
    now: TrainingState,
    device: torch.device,
    stop: Callable[[], bool],
) -> Iterator[Event]:
    ranks = now.ranks
    batches, streams = cut(data, settings, ranks, device, now.model.vocabulary_size), settings.batch_size
    mine = ranks.share(streams)
    model, optimizer, numbers = now.model, now.optimizer, now.numbers
    network = ranks.parallel(model)

    def asked() -> bool:
        return ranks.synchronize(stop())

    def new_pace() -> Pace:
        return Pace(settings, now.numbers, len(batches), 0 if data.valid is None else len(data.valid), ranks.shared_time)

    asked()  # sets the clock
    pace = new_pace()
    report_steps = pace.report_steps(on_gpu=device.type != "cpu")
    look_steps = 1 if device.type == "cpu" else report_steps  # from one look at what was noted to the next
    bfloat16 = use_bfloat16(settings.precision, device, model.settings.cell)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
    model.train()
    while True:
        finished = (pace.progress() >= 1 and numbers.step > 0) or out_of_patience(settings, numbers)
        if data.valid is not None and pace.validation_due(finished):
            yield Validating(numbers.step, len(data.valid) - 1, pace.seconds())
            if score := evaluate(model, data.valid, device, settings.calibrate, asked, ranks):
                yield _note(score, settings, now, pace)
                finished = finished or out_of_patience(settings, numbers)
            ranks.synchronize()
            pace.lap()
        stopping = asked()  # once: a signal that comes now ends the run after the next step
        saving = pace.checkpoint_due(at_once=finished or stopping or numbers.step == numbers.best_step)
        if saving or numbers.step % look_steps == 0:
            now.count()
        if numbers.skipped_in_row >= IN_A_ROW or (saving and not now.finite()):
            yield _recover(run, settings, now, pace)
            numbers, pace = now.numbers, new_pace()
            continue
        if saving:
            yield _save(run, settings, now, pace)
            pace.lap()
        if finished or stopping:
            yield End(numbers.step, finished and not pace.validation_due(finished), pace.seconds())
            return

        rate = learning_rate(settings, numbers.step, numbers.epoch, pace.progress(), numbers.cuts, numbers.recoveries)
        begin = reset(now.hidden, mine, streams, settings.reset, settings.seed, numbers.step)
        x, y = (_to(device, window, model.vocabulary_size) for window in batches[numbers.window])  # (B, T)
        seed_dropout(settings.seed, numbers.step, ranks.rank)
        model.zero_grad()
        loss, state = torch.zeros_like(now.loss_sum), []
        for part in _parts(x, y, begin, settings.accumulate):
            with nullcontext() if part.last else ranks.local_gradients(network):
                with autocast:
                    logits, end = network(part.x, part.hidden)  # (B, T, V)
                losses = cross_entropy(logits, part.y) * (len(part.x) / streams)
                per = y.shape[1] if settings.loss_per == "window" else 1
                (losses * (per * ranks.size)).backward()  # type: ignore[no-untyped-call]  # of which the mean is taken
            loss += losses.detach()
            state.append(end)
        if settings.clip_value:
            nn.utils.clip_grad_value_(model.parameters(), settings.clip_value)
        good = nn.utils.clip_grad_norm_(model.parameters(), settings.clip or math.inf).isfinite()
        optimizer.step(rate, ~good)
        now.note(good, loss, tuple(torch.cat(parts, 1).detach().float() for parts in zip(*state, strict=True)))

        numbers.step += 1
        numbers.window += 1
        if numbers.window == len(batches):  # the streams begin again, at text that does not follow
            numbers.epoch, numbers.window = numbers.epoch + 1, 0
            now.hidden = model.zero_state(len(x))
        if numbers.step % report_steps == 0:
            now.count()
            if numbers.loss_steps:
                yield _report(rate, settings, now, pace)
                pace.lap()


def cut(data: Data, settings: TrainingSettings, ranks: Ranks, device: torch.device, tokens: int) -> Batches[Tensor]:
    """The windows of an epoch, of the streams of this rank.

    On a GPU that has room for their ids those go there once; else they stay a memory map. Raises UsageError.
    """
    S, mine = check_streams(data, settings, ranks), ranks.share(settings.batch_size)
    ids: Any = data.train[mine.start * S : mine.stop * S + 1]
    if device.type != "cpu" and ids.nbytes <= ROOM * free_memory(device):
        ids = torch.from_numpy(ids.astype(np.uint8 if ids.dtype == np.uint8 else np.int32)).to(device)
        check_ids(ids, tokens)
    return Batches(ids, mine.stop - mine.start, settings.seq_length)


def check_streams(data: Data, settings: TrainingSettings, ranks: Ranks) -> int:
    """How many tokens each stream has. Raises UsageError where the text does not fill them, or they not the ranks."""
    fewest = settings.batch_size // ranks.size
    if fewest < settings.accumulate:
        raise UsageError(
            f"--batch-size {settings.batch_size} is too small for {ranks.size} processes"
            f"{f' and --accumulate {settings.accumulate}' if settings.accumulate > 1 else ''}: "
            f"give {ranks.size * settings.accumulate} or more, or start fewer."
        )
    try:
        return stream_length(len(data.train), settings.batch_size)
    except ValueError as error:
        raise UsageError(f"--batch-size {settings.batch_size} is too large: {error}. Give less.") from error


def _to(device: torch.device, window: Tensor | NDArray[np.unsignedinteger], tokens: int) -> Tensor:
    """A window as int64, on the device: cut from a memory map or from ids that are there. Raises RunError."""
    if isinstance(window, Tensor):
        return window.long()
    check_ids(window, tokens)
    return torch.from_numpy(window.astype(np.int64)).to(device)


class Part(NamedTuple):
    """Some of the streams of a window."""

    x: Tensor  # (B, T)
    y: Tensor  # (B, T)
    hidden: State  # (L, B, H) each
    last: bool


def _parts(x: Tensor, y: Tensor, hidden: State, count: int) -> Iterator[Part]:
    """The streams of a window in so many parts, each of which goes through the network by itself."""
    inputs, targets = x.tensor_split(count), y.tensor_split(count)
    states = zip(*(part.tensor_split(count, dim=1) for part in hidden), strict=True)
    for k, (given, wanted, begin) in enumerate(zip(inputs, targets, states, strict=True)):
        yield Part(given, wanted, tuple(part.contiguous() for part in begin), last=k == count - 1)


def _recover(run: Run, settings: TrainingSettings, now: TrainingState, pace: Pace) -> Recovery:
    """Goes back to the last checkpoint, or to the beginning, with half the rate. Raises CharrnnError after some times.

    The time that is spent stays spent.
    """
    exploded, recoveries, skipped, seconds = (
        now.numbers.step,
        now.numbers.recoveries + 1,
        now.numbers.skipped,
        pace.seconds(),
    )
    if recoveries > RECOVERIES:
        lower = settings.learning_rate / 2**recoveries
        raise CharrnnError(
            f"training has exploded at step {exploded:,}, and {RECOVERIES} times half the rate did not help. The "
            f"checkpoints before are whole. Begin anew with a lower rate, by the same command with --restart "
            f"--learning-rate {lower:.1g}"
        )
    found = checkpoints(run)
    if found:
        now.restore(found[-1])
    else:
        now.begin_anew(settings)
    now.numbers = dataclasses.replace(
        now.numbers, recoveries=recoveries, skipped=skipped, skipped_in_row=0, seconds=seconds
    )
    now.tally.zero_()
    return Recovery(now.numbers.step, exploded, recoveries, seconds)


def _report(rate: float, settings: TrainingSettings, now: TrainingState, pace: Pace) -> Report:
    """Reads the losses since the last report: on a GPU the one moment that waits for it."""
    numbers, batch_seconds = now.numbers, pace.seconds_per_batch()
    numbers.train_loss = now.ranks.sum(now.loss_sum).item() / numbers.loss_steps
    numbers.loss_steps = 0
    now.loss_sum.zero_()
    return Report(
        step=numbers.step,
        epoch=pace.epoch(),
        progress=None if settings.bound is None else min(pace.progress(), 1.0),
        loss=numbers.train_loss,
        perplexity=perplexity(numbers.train_loss),
        rate=rate,
        skipped=numbers.skipped,
        seconds_per_batch=batch_seconds,
        tokens_per_second=settings.batch_size * settings.seq_length / batch_seconds,
        seconds=pace.seconds(),
        seconds_left=pace.seconds_left(),
    )


def out_of_patience(settings: TrainingSettings, numbers: Numbers) -> bool:
    """Whether as many validations in a row as the settings allow brought no better loss."""
    return settings.patience is not None and numbers.stalled >= settings.patience


def _note(score: Score, settings: TrainingSettings, now: TrainingState, pace: Pace) -> Validation:
    """Keeps a validation's result, and whether it is the best."""
    numbers = now.numbers
    numbers.scale = score.scale
    numbers.valid_step, numbers.valid_loss, numbers.valid_progress = numbers.step, score.loss, pace.progress()
    best = math.isfinite(score.loss) and (numbers.best_loss is None or score.loss < numbers.best_loss)
    numbers.stalled = 0 if best else numbers.stalled + 1
    if best:
        numbers.best_step, numbers.best_loss = numbers.step, score.loss
    elif settings.schedule == "plateau":
        numbers.cuts += 1
    return Validation(numbers.step, pace.epoch(), score.loss, score.bits, score.perplexity, best, pace.seconds())


def _save(run: Run, settings: TrainingSettings, now: TrainingState, pace: Pace) -> Saved:
    """Writes a checkpoint of this moment, on the first rank."""
    numbers, ranks = now.numbers, now.ranks
    started = ranks.shared_time()
    numbers.seconds = pace.seconds()
    if numbers.best_loss is None:  # nothing was measured: the latest is the best
        numbers.best_step = numbers.step
    weights, tensors, record = now.dump()
    if ranks.first:
        if not run.checkpoints.is_dir():  # or it would be made anew, without all else that a run needs
            raise DiskError(f"cannot write {run.checkpoints}: the folder is gone. If it was moved, go on where it is.")
        save_checkpoint(run, now.summary(pace.epoch()), weights, tensors, record, numbers.best_step)
        drop_checkpoints(run, settings.keep, settings.checkpoint_every, numbers.best_step)
    ranks.synchronize()
    pace.saved(ranks.shared_time() - started)
    return Saved(numbers.step, numbers.best_step == numbers.step, pace.save_seconds, pace.seconds())
