from types import SimpleNamespace

import pytest

from charrnn_cli.threads import Threads, steady_threads
from charrnn_cli.training.clock import Clock
from charrnn_cli.training.counters import Counters


class FakeRanks:
    """Ranks whose clock shows what the test says, after each synchronization."""

    def __init__(self, size=1):
        self.size = size
        self.now = 100.0
        self.agreements = 0
        self._shared = self.now

    def synchronize(self, stop):
        self.agreements += 1
        self._shared = self.now
        return stop

    def shared_time(self):
        return self._shared


@pytest.fixture
def ranks():
    return FakeRanks()


def clock(ranks, counters, stop=lambda: False, threads=None):
    return Clock(SimpleNamespace(ranks=ranks, counters=counters), stop, threads or steady_threads())


def test_time_stands_still_between_two_ticks_and_continues_that_of_the_run(ranks):
    counters = Counters(seconds=50.0)
    ticking = clock(ranks, counters)
    ranks.now += 2.0
    assert counters.seconds == 50.0
    ticking.tick()
    assert counters.seconds == 52.0


def test_the_time_of_a_step_leaves_out_pauses(ranks):
    counters = Counters(step=7)
    ticking = clock(ranks, counters)
    for _ in range(4):
        counters.step += 1
        ranks.now += 0.5
        ticking.after_step()
        ranks.now += 60.0  # a validation or a checkpoint
        ticking.tick()
    assert ticking.seconds_per_step() == pytest.approx(0.5)
    ticking.restart_timing()
    counters.step += 1
    ranks.now += 0.25
    ticking.after_step()
    assert ticking.seconds_per_step() == pytest.approx(0.25)
    assert counters.seconds == pytest.approx(4 * 60.5 + 0.25)


def test_a_request_to_stop_is_seen_at_the_next_tick(ranks):
    asked = []
    ticking = clock(ranks, Counters(), lambda: bool(asked))
    asked.append(1)
    assert not ticking.stopping
    ticking.tick()
    assert ticking.stopping


@pytest.mark.parametrize("work", ["after_step", "after_window"])
@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.15, 5.0])
def test_ranks_agree_about_five_times_a_second_and_at_most_once_a_step(work, seconds):
    ranks = FakeRanks(size=2)
    ticking = clock(ranks, Counters())
    agreements, gaps, last = ranks.agreements, [], ranks.now
    for _ in range(10_000):
        ranks.now += seconds
        getattr(ticking, work)()
        if ranks.agreements > agreements:
            agreements, last, gap = ranks.agreements, ranks.now, ranks.now - last
            gaps.append(gap)
    assert max(gaps) <= max(0.2, seconds) + 1e-6
    assert min(gaps[10:]) > 0.1


def test_reports_and_pauses_do_not_make_ranks_agree_more_often():
    ranks = FakeRanks(size=2)
    ticking = clock(ranks, Counters())
    for step in range(1, 10_001):
        ranks.now += 0.001
        ticking.after_step()
        if step % 1000 == 0:  # a report
            ticking.tick_after_steps()
            ranks.now += 0.5
            ticking.tick()
    assert ranks.agreements < 10 * (5 + 1 + 2) + 20


def test_slower_steps_are_noticed_at_the_next_agreement():
    ranks = FakeRanks(size=2)
    ticking = clock(ranks, Counters())
    for _ in range(1000):
        ranks.now += 0.01
        ticking.after_step()
    for _ in range(40):
        ranks.now += 1.0
        ticking.after_step()
    agreements = ranks.agreements
    ranks.now += 1.0
    ticking.after_step()
    assert ranks.agreements == agreements + 1


def test_the_time_of_a_step_is_right_between_agreements():
    ranks, counters = FakeRanks(size=2), Counters()
    ticking = clock(ranks, counters)
    for step in range(1, 101):
        counters.step = step
        ranks.now += 0.01
        ticking.after_step()
    ticking.tick_after_steps()
    assert ticking.seconds_per_step() == pytest.approx(0.01)
    assert counters.seconds == pytest.approx(1.0)


def test_only_steps_show_whether_the_machine_is_busy(ranks):
    numbers = []
    threads = Threads(2, numbers.append, lambda: ranks.now, lambda: 0.0)  # never computing
    ticking = clock(ranks, Counters(), threads=threads)
    for _ in range(10):
        ranks.now += 60.0
        ticking.tick()
    assert numbers == []
    changes = []
    for _ in range(3):
        ranks.now += 1.0
        changes.append(ticking.after_step())
    assert numbers == [1]
    assert changes == [True, False, False]
