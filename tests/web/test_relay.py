import asyncio

import pytest
from fake_engine import run, served, site, until

from charrnn_cli.config import ServeSettings
from charrnn_cli.generation.requests import Ended, Written
from charrnn_cli.web.api_errors import ApiError
from charrnn_cli.web.jobs import job_of
from charrnn_cli.web.protocol import CompletionRequest


class Notes:
    """A listener that notes what it is told."""

    def __init__(self):
        self.events, self.woken = [], 0

    def take(self, request, event):
        self.events.append(event)

    def wake(self):
        self.woken += 1


def requests(n):
    return job_of(CompletionRequest(n=n), served(), ServeSettings()).requests


def test_events_go_to_the_listener_of_their_request_until_it_is_cancelled():
    async def work():
        place = site(silent=True)
        first, second = Notes(), Notes()
        (one, two), (three,) = requests(2), requests(1)
        place.relay.submit("tiny", [one, two], first)
        place.relay.submit("tiny", [three], second)
        place.batcher.deliver([(one, Written("x", ())), (three, Written("y", ())), (two, Ended("stop", 1))])
        await until(lambda: second.events)
        place.relay.cancel([one, two])
        place.batcher.deliver([(one, Written("z", ())), (three, Ended("stop", 1))])
        await until(lambda: len(second.events) == 2)
        assert first.events == [Written("x", ()), Ended("stop", 1)]
        assert place.batcher.cancelled == [one]  # the other one had ended

    run(work())


def test_listeners_are_woken_together_after_a_while():
    async def work():
        relay = site(silent=True).relay
        listeners = [Notes(), Notes()]
        for listener in listeners * 3:
            relay.wake_later(listener)
        assert [listener.woken for listener in listeners] == [0, 0]
        await until(lambda: all(listener.woken for listener in listeners))
        await asyncio.sleep(0)
        assert [listener.woken for listener in listeners] == [1, 1]

    run(work())


def test_more_texts_than_allowed_are_refused_until_others_end():
    async def work():
        place = site(silent=True, max_streams=2)
        first = requests(2)
        place.relay.submit("tiny", first, Notes())
        with pytest.raises(ApiError) as raised:
            place.relay.submit("tiny", requests(1), Notes())
        assert raised.value.status == 429
        assert raised.value.headers["retry-after"]
        place.relay.cancel(first[:1])
        place.relay.submit("tiny", requests(1), Notes())

    run(work())


def test_a_dead_engine_and_a_server_that_ends_refuse():
    async def work():
        place = site(silent=True)
        assert place.relay.healthy
        place.batcher.alive = False
        assert not place.relay.healthy
        with pytest.raises(ApiError, match="engine has failed"):
            place.relay.submit("tiny", requests(1), Notes())
        place.batcher.alive = True
        await place.relay.close()
        assert not place.relay.healthy
        with pytest.raises(ApiError, match="shutting down"):
            place.relay.submit("tiny", requests(1), Notes())

    run(work())
