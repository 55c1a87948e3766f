import json
import logging

import msgspec
import pytest

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.web.api_errors import ApiError, as_api_error, invalid_json
from charrnn_cli.web.protocol import CompletionRequest


def test_an_error_has_the_shape_of_openai():
    response = ApiError("no", 429, param="n", code="full", headers={"retry-after": "1"}).response
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert json.loads(response.body) == {
        "error": {"message": "no", "type": "rate_limit_error", "param": "n", "code": "full"}
    }


def test_settings_are_called_as_clients_call_them():
    error = as_api_error(UsageError("`length` must be at least 0; or pass `unknown=skip`."))
    assert (error.status, error.param) == (400, "max_tokens")
    assert str(error) == '`max_tokens` must be at least 0; or pass `"unknown": "skip"`.'


def test_a_failing_model_is_the_fault_of_the_server():
    error = as_api_error(RunError("the weights are damaged"))
    assert (error.status, error.record["error"]["type"]) == (500, "server_error")


def test_a_bug_is_logged_and_not_shown(caplog):
    with caplog.at_level(logging.ERROR):
        error = as_api_error(ZeroDivisionError("secret"))
    assert error.status == 500
    assert "secret" not in str(error)
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize(
    ("body", "param"), [('{"n": "x"}', "n"), ('{"promt": "x"}', "promt"), ("{", None), ("[]", None)]
)
def test_the_field_that_is_wrong_is_named(body, param):
    with pytest.raises(msgspec.DecodeError) as raised:
        msgspec.json.decode(body, type=CompletionRequest)
    error = invalid_json(raised.value, CompletionRequest.__struct_fields__)
    assert error.param == param
    assert str(error).endswith("Did you mean prompt?") == (param == "promt")
