import time

import pytest
from batcher import ENGINES, Running, alone, request, result, small_engine, text_of

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation import lane
from charrnn_cli.generation.requests import Ended, Failed, Read, Written

KINDS = [
    {},
    {"temperature": 0.0},
    {"temperature": 1.3, "top_n": 5, "top_p": 1.0},
    {"top_p": 0.6, "min_p": 0.02},
    {"repetition_penalty": 1.3, "repetition_window": 7},
    {"ban": ("e", "th")},
    {"allow_only": ("abc ",), "length": 45},
    {"stop": ("e", "nt"), "length": 300},
    {"lines": 2, "length": 200},
    {"until_line": True, "length": 10},
    {"scored": True},
    {"length": 0},
    {"prompt": ""},
    {"prompt": "a much longer prompt than that of the others"},
]


def requests(count=1):
    return [request(seed=seed, number=seed % 3, **kind) for seed in range(count) for kind in KINDS]


@pytest.mark.parametrize("engine", ENGINES)
def test_each_text_is_the_same_as_alone(engine):
    engine, some = small_engine(engine), requests(4)
    with Running(engine) as running:
        found = running.run(*some)
    assert list(map(result, found)) == [alone(engine, one) for one in some]


def test_texts_stay_the_same_while_others_are_cancelled():
    engine, kept = small_engine(), requests(2)
    cancelled = [request(seed=seed, length=100_000) for seed in range(20)]
    with Running(engine) as running:
        running.submit(*cancelled[:10])
        running.wait_for(lambda: all(len(running.events.get(one, [])) > 2 for one in cancelled[:10]))
        running.submit(*kept, *cancelled[10:])
        for one in cancelled:
            running.batcher.cancel([one])
        running.wait_for(lambda: all(map(running.ended, kept + cancelled)))
        assert [running.events[one][-1].ending for one in cancelled] == ["cancelled"] * 20
        assert [result(running.events[one]) for one in kept] == [alone(engine, one) for one in kept]
        assert (running.batcher.streams, running.batcher.waiting) == (0, 0)


def test_requests_are_cancelled_before_the_thread_has_looked_at_them():
    running = Running()
    some = [request(seed=seed, length=1_000_000) for seed in range(5)]
    for one in some:
        running.submit(one)
        running.batcher.cancel([one])
    with running:
        running.wait_for(lambda: all(map(running.ended, some)))
        assert [running.events[one][-1].ending for one in some] == ["cancelled"] * 5


def test_each_request_ends_once_and_starts_with_its_prompt():
    with Running() as running:
        for events in running.run(*requests(3)):
            assert isinstance(events[0], Read)
            assert all(isinstance(event, Written) for event in events[1:-1])
            assert isinstance(events[-1], Ended)


def test_cancelling_what_has_ended_changes_nothing():
    with Running() as running:
        one = request()
        before = list(running.run(one)[0])
        running.batcher.cancel([one])
        running.run(request(seed=1))
        assert running.events[one] == before


def test_an_engine_that_cannot_be_loaded_ends_all_requests_and_the_thread(monkeypatch):
    running, one = Running(), request()
    monkeypatch.setattr(running.engine, "warm_up", lambda: (_ for _ in ()).throw(UsageError("no engine")))
    running.submit(one)
    with running:
        running.wait_for(lambda: running.ended(one))
        with pytest.raises(UsageError, match="no engine"):
            running.batcher.loaded.result(60)
        running.batcher.close()


def test_a_failing_request_fails_alone():
    engine = small_engine()
    good = [request(seed=seed) for seed in range(5)]
    nothing_left = request(allow_only=("Z",))
    broken = request(bias=((3, float("nan")),))
    with Running(engine) as running:
        running.run(*good[:2], nothing_left, broken, *good[2:])
        assert isinstance(running.events[nothing_left][-1].error, UsageError)
        assert isinstance(running.events[broken][-1].error, RunError)
        assert [result(running.events[one]) for one in good] == [alone(engine, one) for one in good]
        assert running.batcher.alive


def test_the_counts_grow():
    with Running() as running:
        texts = [text_of(events) for events in running.run(request(), request(seed=1))]
        assert running.batcher.written == sum(map(len, texts))
        assert running.batcher.cached_states == 1  # both have the same prompt
        assert running.batcher.cached_bytes > 0


def test_close_ends_all_texts():
    with Running() as running:
        some = [request(seed=seed, length=1_000_000) for seed in range(5)]
        running.submit(*some)
        running.wait_for(lambda: all(len(running.events.get(one, [])) > 1 for one in some))
        running.batcher.close()
        assert [running.events[one][-1].ending for one in some] == ["cancelled"] * 5
        late = request()
        assert running.run(late)[0][-1].ending == "cancelled"
    assert not running.batcher.alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_all_requests_fail_if_the_thread_dies(monkeypatch):
    def bug(self):
        raise ZeroDivisionError

    with Running() as running:
        first = request(length=1_000_000)
        running.submit(first)
        running.wait_for(lambda: len(running.events.get(first, [])) > 1)
        monkeypatch.setattr(lane.Lane, "advance", bug)
        running.wait_for(lambda: running.ended(first))
        assert isinstance(running.events[first][-1], Failed)
        while running.batcher.alive:
            time.sleep(0.01)
        assert isinstance(running.run(request())[0][-1], Failed)
