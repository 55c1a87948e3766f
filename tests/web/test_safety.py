import asyncio

import pytest
from fake_engine import ask, run

from charrnn_cli.web.api_errors import ApiError
from charrnn_cli.web.safety import LOCAL_NAMES, Access, host_name, read_body

KEYED = Access(None, key="sécret")


def status(access=None, method="GET", path="/v1/models", **headers):
    return ask(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}, access=access)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "localhost.:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"]
)
def test_the_names_of_this_machine_are_answered(host):
    assert status(host=host).status == 200


@pytest.mark.parametrize("host", ["evil.com", "evil.com:8000", "localhost.evil.com", "127.0.0.1.evil.com", "", "[::2]"])
def test_other_names_are_not(host):
    answer = status(host=host)
    assert (answer.status, answer.json["error"]["code"]) == (403, "host_not_allowed")


def test_a_request_without_a_host_or_with_two_is_refused():
    access = Access(LOCAL_NAMES)
    for hosts in ([], [b"localhost", b"localhost"]):
        with pytest.raises(ApiError, match="Host"):
            access.check("/", [(b"host", host) for host in hosts])


def test_the_name_of_a_host_has_no_port_and_no_brackets():
    assert list(map(host_name, ["A.b:80", "[::1]:80", "x"])) == ["a.b", "::1", "x"]


def test_pages_of_other_origins_are_refused():
    assert status(origin="https://evil.com").status == 403
    assert "--cors '*'" in status(origin="null").json["error"]["message"]  # --cors null would not be taken
    assert status(origin="http://localhost:8000").status == 200  # the server's own page


@pytest.mark.parametrize("allowed", ["https://good.com", "*"])
def test_pages_of_an_allowed_origin_may_read_answers_and_errors(allowed):
    access = Access(LOCAL_NAMES, frozenset({allowed}))
    for path in ("/v1/models", "/nothing"):
        answer = status(access, path=path, origin="https://good.com")
        assert answer.headers["access-control-allow-origin"] == "https://good.com"
    assert "access-control-allow-origin" not in status(access).headers


def test_a_page_of_an_allowed_origin_can_read_that_its_key_is_wrong():
    access = Access(LOCAL_NAMES, frozenset({"https://good.com"}), "key")
    answer = status(access, origin="https://good.com")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, "https://good.com")
    assert "access-control-allow-origin" not in status(access, origin="https://evil.com").headers


def test_a_browser_may_ask_before_a_request_without_the_key():
    access = Access(LOCAL_NAMES, frozenset({"https://good.com"}), "key")
    asking = {"method": "OPTIONS", "path": "/v1/completions", "access_control_request_method": "POST"}
    answer = status(access, origin="https://good.com", **asking)
    assert answer.status == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert status(access, origin="https://evil.com", **asking).status == 403
    assert status(access, method="OPTIONS", path="/v1/completions").status == 401


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer ", "Bearer secret", "sécret", "bearer sécret", "Bearer sécrets"]
)
def test_the_key_must_be_right(given):
    headers = {} if given is None else {"authorization": given}
    answer = status(KEYED, **headers)
    assert (answer.status, answer.json["error"]["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_with_the_key_or_on_open_paths_there_is_an_answer():
    assert status(KEYED, authorization="Bearer sécret").status == 200
    assert status(KEYED, path="/health").status == 200
    page = status(KEYED, path="/")
    assert page.status == 200
    assert b"tiny" not in page.body  # the name of the model


def body_of(*messages, limit=10):
    left = list(messages)

    async def receive():
        await asyncio.sleep(0)
        return left.pop(0)

    return run(read_body(receive, limit))


def part(content, more):
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_is_read_up_to_a_limit():
    assert body_of(part(b"12345", True), part(b"67890", False)) == b"1234567890"
    with pytest.raises(ApiError) as raised:
        body_of(part(b"12345", True), part(b"678901", True))
    assert raised.value.status == 413
    with pytest.raises(ApiError):
        body_of(part(b"1", True), {"type": "http.disconnect"})
