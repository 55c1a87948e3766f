import pytest
import torch
from support import report_every

from charrnn_cli.threads import Threads
from charrnn_cli.training.bookkeeping import Bookkeeping
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.events import Report, Saved, ThreadChange, Validating, Validation
from charrnn_cli.training.setup import set_up

SMALL = {"hidden": 8, "layers": 1, "embedding": 4, "batch_size": 4, "seq_length": 8}
LOSS = torch.tensor(2.0)
FINITE = torch.tensor(True)


def between_steps(bookkeeping):
    return [*bookkeeping.report(0.01), *bookkeeping.validate(), *bookkeeping.save()]


def take_step(bookkeeping, state, finite=FINITE):
    state.add_step(finite, LOSS, state.hidden)
    bookkeeping.advance()


@pytest.fixture
def make(fox, monkeypatch):
    report_every(2, monkeypatch)

    def bookkeeping(stop=lambda: False, **settings):
        setup = set_up(fox, Request(SMALL | settings), torch.device("cpu"))
        return Bookkeeping(setup, windows=50, stop=stop), setup.state

    return bookkeeping


def test_a_new_run_owes_nothing(make):
    bookkeeping, _ = make(steps=4)
    assert between_steps(bookkeeping) == []
    assert not bookkeeping.ended


def test_report_validation_checkpoint_and_end_come_in_this_order(make):
    bookkeeping, state = make(steps=4)
    kinds = []
    while not bookkeeping.ended:
        take_step(bookkeeping, state)
        kinds.append([type(event) for event in between_steps(bookkeeping)])
    assert kinds == [[], [Report], [], [Report, Validating, Validation, Saved]]
    assert bookkeeping.end().finished


def test_a_report_has_the_mean_loss_and_a_time_above_zero(make):
    bookkeeping, state = make(steps=40, checkpoint_every=1)
    reports = []
    for _ in range(6):
        take_step(bookkeeping, state)
        reports += [event for event in between_steps(bookkeeping) if isinstance(event, Report)]
    assert [report.step for report in reports] == [2, 4, 6]
    assert all(report.loss == 2.0 and report.seconds_per_batch > 0 for report in reports)


def test_a_request_to_stop_saves_at_once_and_the_run_is_not_finished(make):
    asked = []
    bookkeeping, state = make(lambda: bool(asked), steps=1000)
    asked.append(1)
    take_step(bookkeeping, state)
    assert [type(event) for event in between_steps(bookkeeping)] == [Saved]
    assert bookkeeping.ended
    assert not bookkeeping.end().finished


def test_a_limit_that_passes_while_a_checkpoint_is_written_still_gets_its_validation(make, monkeypatch):
    bookkeeping, state = make(minutes=1.0, checkpoint_every=1)
    original = state.dump

    def slow():
        state.counters.seconds += 120
        return original()

    monkeypatch.setattr(state, "dump", slow)
    take_step(bookkeeping, state)
    assert Saved in [type(event) for event in between_steps(bookkeeping)]
    assert bookkeeping.finished
    assert not bookkeeping.ended
    take_step(bookkeeping, state)
    assert Validation in [type(event) for event in between_steps(bookkeeping)]
    assert bookkeeping.end().finished


def test_a_change_of_the_threads_is_an_event_and_the_end_undoes_it(make, monkeypatch):
    numbers = []

    def busy_threads(device, number, ranks):
        seconds = iter(range(1000))
        return Threads(2, numbers.append, lambda: next(seconds), lambda: 0.0)

    monkeypatch.setattr("charrnn_cli.training.bookkeeping.watched_threads", busy_threads)
    bookkeeping, state = make(steps=4)
    events = []
    while not bookkeeping.ended:
        take_step(bookkeeping, state)
        events += between_steps(bookkeeping)
    assert [(event.step, event.threads) for event in events if isinstance(event, ThreadChange)] == [(1, 1)]
    bookkeeping.end()
    assert (numbers[0], numbers[-1]) == (1, 2)  # a validation has threads of its own


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_between_reports_nothing_waits_for_a_gpu(fox, monkeypatch):
    report_every(50, monkeypatch)
    device = torch.device("cuda")
    setup = set_up(fox, Request(SMALL | {"steps": 200}), device)
    bookkeeping, state = Bookkeeping(setup, windows=1000, stop=lambda: False), setup.state
    finite, loss = torch.tensor(True, device=device), torch.tensor(2.0, device=device)
    events = []
    for step in range(1, 51):
        torch.cuda.set_sync_debug_mode("error" if step < 50 else "default")
        try:
            state.add_step(finite, loss, state.hidden)
            bookkeeping.advance()
            events += bookkeeping.report(0.01)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert [event.step for event in events] == [50]
    assert state.counters.step == 50
