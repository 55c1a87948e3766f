from batcher import ABC, request, small_engine

from charrnn_cli.generation.batch import Batch
from charrnn_cli.generation.lane import BLOCK_SECONDS, MAX_BLOCK_TOKENS, MIN_BLOCK_TOKENS, BlockSize, Lane
from charrnn_cli.generation.requests import Ended
from charrnn_cli.generation.state_cache import StateCache


def test_blocks_are_shorter_if_there_are_more_texts():
    now = [0.0]
    size = BlockSize(lambda: now[0])

    def work(tokens):
        def advance():
            now[0] += tokens * 1e-4
            return []

        return advance

    for _ in range(100):
        size.measure(work(50), 50)
    assert size.tokens(1) == MAX_BLOCK_TOKENS
    assert size.tokens(44) == int(BLOCK_SECONDS / 44e-4)
    assert size.tokens(10_000) == MIN_BLOCK_TOKENS


def test_a_lane_counts_what_it_reads_and_writes():
    lane = Lane(small_engine(), ABC, StateCache(10**6), "abc")
    some = [request(seed=seed, length=30, repetition_penalty=1.0 + seed % 2) for seed in range(6)]
    for one in some:
        lane.add(one)
    assert lane.streams == 6
    ended = lane.cancel({some[0], some[1]})
    assert ended == [(some[0], Ended("cancelled", 0)), (some[1], Ended("cancelled", 0))]
    assert lane.streams == 4
    events = []
    while lane.streams:
        events += lane.advance()
    assert {one for one, event in events if event == Ended("length", 30)} == set(some[2:])


def test_no_block_is_longer_than_what_is_left_of_the_texts(monkeypatch):
    lane, counts, write = Lane(small_engine(), ABC, StateCache(10**6), "abc"), [], Batch.write
    monkeypatch.setattr(Batch, "write", lambda batch, count: counts.append(count) or write(batch, count))
    for length in (1, 3):
        lane.add(request(length=length))
    while lane.streams:
        lane.advance()
    assert counts == [3]


def test_all_requests_can_be_taken():
    lane = Lane(small_engine(), ABC, StateCache(10**6), "abc")
    some = [request(seed=seed, length=3000, repetition_penalty=1.0 + seed % 2) for seed in range(4)]
    for one in some[:2]:
        lane.add(one)
    lane.advance()
    for one in some[2:]:
        lane.add(one)
    assert set(lane.take_all()) == set(some)
    assert lane.streams == 0
