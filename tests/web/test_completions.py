import asyncio

import pytest
from fake_engine import Client, ask, run, site, until

from charrnn_cli.errors import RunError
from charrnn_cli.generation.requests import Ended, Failed, Read, ScoredToken, Written
from charrnn_cli.web import completions

PATH = "/v1/completions"


def complete(**fields):
    return ask("POST", PATH, fields)


def texts(events):
    """The text of each choice of a stream."""
    joined = {}
    for event in events:
        for choice in event["choices"]:
            joined[choice["index"]] = joined.get(choice["index"], "") + choice["text"]
    return joined


def test_a_completion_has_the_texts_of_all_prompts_in_order():
    body = complete(prompt=["a", "bb"], n=2, max_tokens=4, seed=7, user="me").json
    assert [(choice["index"], choice["text"]) for choice in body["choices"]] == [
        *((0, "abca"), (1, "bcab")),
        *((2, "abca"), (3, "bcab")),
    ]
    assert {choice["finish_reason"] for choice in body["choices"]} == {"length"}
    assert {choice["logprobs"] for choice in body["choices"]} == {None}
    assert (body["object"], body["model"], body["seed"]) == ("text_completion", "tiny", 7)
    assert body["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 16,
        "total_tokens": 19,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def test_the_likeliest_of_several_texts_come_first():
    body = complete(n=2, best_of=3, max_tokens=3).json
    assert [choice["text"] for choice in body["choices"]] == ["abc", "bca"]  # the fake makes later texts less likely
    assert body["usage"]["completion_tokens"] == 9
    assert {choice["logprobs"] for choice in body["choices"]} == {None}


@pytest.mark.parametrize("many", [0, 10_000])  # with 0, parts are computed in a thread
def test_echo_with_logprobs_scores_the_prompt_in_a_stream_too(many, monkeypatch):
    monkeypatch.setattr(completions, "MANY_SCORED", many)
    asked = {"prompt": "ab", "max_tokens": 2, "echo": True, "logprobs": 1}
    (choice,) = complete(**asked).json["choices"]
    assert choice["text"] == "ababab"[:4]
    assert choice["logprobs"]["tokens"] == list("abab")
    assert choice["logprobs"]["token_logprobs"] == [None, -2.0, -1.0, -1.0]
    assert choice["logprobs"]["text_offset"] == [0, 1, 2, 3]
    assert choice["logprobs"]["top_logprobs"][1] == {"a": -0.5, "b": -2.0}
    streamed = complete(**asked, stream=True).events
    assert texts(streamed) == {0: choice["text"]}
    for name, values in choice["logprobs"].items():
        assert [value for event in streamed for value in event["choices"][0]["logprobs"][name]] == values


def test_a_stream_has_the_same_texts_and_one_end_for_each():
    asked = {"prompt": ["a", "b"], "n": 2, "max_tokens": 5, "seed": 1}
    whole = complete(**asked).json
    answer = complete(**asked, stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, usage = answer.events
    assert texts(events) == {choice["index"]: choice["text"] for choice in whole["choices"]}
    ends = [(c["index"], c["finish_reason"]) for event in events for c in event["choices"] if c["finish_reason"]]
    assert sorted(ends) == [(k, "length") for k in range(4)]
    assert {event["usage"] for event in events} == {None}
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    assert {(event["id"], event["seed"]) for event in [*events, usage]} == {(usage["id"], 1)}


def test_a_stream_sends_the_first_text_at_once_and_then_many_blocks_together():
    async def work():
        place = site(silent=True)
        client = Client(place.app)
        task = asyncio.create_task(client("POST", PATH, {"stream": True}))
        await until(lambda: place.batcher.submitted)
        (request,) = place.batcher.submitted
        place.batcher.deliver([(request, Read("", (), 0))])
        place.batcher.deliver([(request, Written("a", ()))])
        await until(lambda: client.sent)
        for letter in "bcdef":
            place.batcher.deliver([(request, Written(letter, ()))])
        await until(lambda: len(client.sent) == 2)
        assert b'"text":"bcdef"' in client.sent[1]
        place.batcher.deliver([(request, Written('"\n', ())), (request, Ended("document", 8))])
        *_, last = (await task).events
        assert (last["choices"][0]["text"], last["choices"][0]["finish_reason"]) == ('"\n', "stop")

    run(work())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_places(stream):
    async def work():
        place = site(silent=True)
        client = Client(place.app)
        task = asyncio.create_task(client("POST", PATH, {"n": 2, "stream": stream}))
        await until(lambda: place.batcher.submitted)
        place.batcher.deliver([(place.batcher.submitted[0], Written("a", ()))])
        client.leave.set()
        await task
        assert set(place.batcher.cancelled) == set(place.batcher.submitted)

    run(work())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "code"), [(RunError("NaN"), "model_failed"), (KeyError("secret"), "bug")])
def test_a_text_that_fails_fails_its_completion(stream, error, code, caplog):
    async def work():
        place = site(silent=True)
        task = asyncio.create_task(Client(place.app)("POST", PATH, {"n": 2, "stream": stream}))
        await until(lambda: place.batcher.submitted)
        place.batcher.deliver([(place.batcher.submitted[0], Failed(error))])
        answer = await task
        assert (answer.status, answer.json["error"]["code"]) == (500, code)
        assert b"secret" not in answer.body
        assert place.batcher.cancelled == place.batcher.submitted[1:]

    run(work())


def test_a_stream_that_fails_ends_with_the_error():
    async def work():
        place = site(silent=True)
        client = Client(place.app)
        task = asyncio.create_task(client("POST", PATH, {"stream": True}))
        await until(lambda: place.batcher.submitted)
        place.batcher.deliver([(place.batcher.submitted[0], Written("a", ()))])
        await until(lambda: client.sent)
        place.batcher.deliver([(place.batcher.submitted[0], Failed(RunError("NaN")))])
        first, last = (await task).events
        assert first["choices"][0]["text"] == "a"
        assert last["error"]["message"] == "NaN"

    run(work())


def test_when_the_server_ends_streams_get_their_last_event_and_others_an_error():
    async def work():
        place = site(silent=True)
        tasks = [asyncio.create_task(Client(place.app)("POST", PATH, {"stream": stream})) for stream in (True, False)]
        await until(lambda: len(place.batcher.submitted) == 2)
        await place.relay.close()
        streamed, whole = await asyncio.gather(*tasks)
        (event,) = streamed.events
        assert event["choices"][0]["finish_reason"] == "cancelled"
        assert (whole.status, whole.json["error"]["code"]) == (503, "shutting_down")

    run(work())


def test_tokens_of_several_events_are_one_list():
    async def work():
        place = site(silent=True)
        task = asyncio.create_task(Client(place.app)("POST", PATH, {"logprobs": 0}))
        await until(lambda: place.batcher.submitted)
        (request,) = place.batcher.submitted
        for letter in (0, 1):
            place.batcher.deliver([(request, Written("ab"[letter], (ScoredToken(letter, -1.0),)))])
        place.batcher.deliver([(request, Ended("stop", 2))])
        (choice,) = (await task).json["choices"]
        assert choice["logprobs"]["tokens"] == ["a", "b"]
        assert choice["logprobs"]["top_logprobs"] == [{"a": -1.0}, {"b": -1.0}]

    run(work())
