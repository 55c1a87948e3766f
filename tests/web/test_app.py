import asyncio

import pytest
from fake_engine import Client, ask, run, served, site

from charrnn_cli.web import app as application
from charrnn_cli.web.page import ENDPOINTS


def test_models_are_listed_and_shown():
    models = [served("tiny"), served("other")]
    listed = ask("GET", "/v1/models", models=models).json
    assert [record["id"] for record in listed["data"]] == ["tiny", "other"]
    assert ask("GET", "/v1/models/other", models=models).json == listed["data"][1]
    assert listed["data"][0]["description"] == "tiny: a model for tests"


def test_only_the_models_of_the_server_exist():
    for method, path, body in (
        ("GET", "/v1/models/anna", None),
        ("POST", "/v1/completions", {"model": "../models/anna"}),
        ("POST", "/tokenize", {"model": "anna", "prompt": ""}),
        ("GET", "/tokenizer_info?model=anna", None),
    ):
        answer = ask(method, path, body)
        assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")


def test_a_request_that_names_no_model_gets_the_first():
    models = [served("tiny"), served("other")]
    assert ask("POST", "/v1/completions", {"max_tokens": 1}, models=models).json["model"] == "tiny"
    assert ask("POST", "/v1/completions", {"max_tokens": 1, "model": "other"}, models=models).json["model"] == "other"


def test_a_long_prompt_is_encoded_in_a_thread_with_the_same_result(monkeypatch):
    short = ask("POST", "/v1/completions", {"prompt": "ab", "max_tokens": 3, "seed": 1}).json
    monkeypatch.setattr(application, "SHORT", 0)
    long = ask("POST", "/v1/completions", {"prompt": "ab", "max_tokens": 3, "seed": 1}).json
    assert long["choices"] == short["choices"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/v1/completions", 405)])
def test_other_paths_and_methods_are_errors_in_the_same_shape(method, path, status):
    answer = ask(method, path)
    assert (answer.status, answer.json["error"]["code"]) == (status, "not_found")


def test_errors_of_a_request_have_status_400():
    for body in (b"{", b"\x00\xff", {"prompt": "ä"}, {"n": "x"}, {"max_tokens": -1}):
        answer = ask("POST", "/v1/completions", body)
        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


def test_a_body_that_is_too_large_is_refused():
    answer = ask("POST", "/v1/completions", {"prompt": "a" * 2000}, max_body=0.001)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(application, "BODY_SECONDS", 0.01)

    async def never(receive, limit):
        await asyncio.sleep(10)

    monkeypatch.setattr(application, "read_body", never)
    assert ask("POST", "/v1/completions", {}).status == 408


def test_a_bug_is_not_shown(monkeypatch):
    def fail(served):
        raise ZeroDivisionError("secret")

    async def work():
        monkeypatch.setattr(application, "tokenizer_info", fail)
        client = Client(site().app)
        with pytest.raises(ZeroDivisionError):  # which uvicorn logs
            await client("GET", "/tokenizer_info")
        assert b"bug" in client.sent[0]
        assert b"secret" not in client.sent[0]

    run(work())


def test_health_is_red_if_the_engine_has_failed():
    async def work():
        place = site()
        assert (await Client(place.app)("GET", "/health")).json["status"] == "ok"
        place.batcher.alive = False
        assert (await Client(place.app)("GET", "/health")).status == 503

    run(work())


def test_every_endpoint_of_the_help_exists():
    for endpoint, _ in ENDPOINTS:
        method, path = endpoint.split()
        if path == "/":
            continue  # needs a whole model
        assert ask(method, path, {} if method == "POST" else None).status in (200, 400)
