import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.web.api_errors import ApiError
from charrnn_cli.web.protocol import CompletionRequest, check_supported, decode


def test_null_is_the_default_everywhere():
    fields = {name: None for name in CompletionRequest.__struct_fields__ if name != "prompt"}
    import json

    assert decode(json.dumps(fields).encode(), CompletionRequest) == CompletionRequest()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b'{"prompt": "\\ud800"}',
        b'{"prompt": 3}',
        b'{"n": 0}',
        b'{"n": true}',
        b'{"seed": -1}',
        b'{"seed": 9223372036854775808}',
        b'{"logprobs": 21}',
        b'{"logit_bias": {"1": 101}}',
        b'{"temperature": "hot"}',
        b'{"stream_options": {"surprise": true}}',
        b'{"tools": []}',
        b'{"prompt": ' + b"[" * 100_000,
    ],
)
def test_what_is_not_a_request_is_refused(body):
    with pytest.raises(ApiError) as raised:
        decode(body, CompletionRequest)
    assert raised.value.status == 400


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_refused(body):
    try:
        assert isinstance(decode(body, CompletionRequest), CompletionRequest)
    except ApiError as error:
        assert error.status == 400


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"suffix": "x"}, "suffix"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": -0.5}, "frequency_penalty"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_what_is_not_supported_is_refused(fields, param):
    with pytest.raises(ApiError) as raised:
        check_supported(CompletionRequest(**fields))
    assert raised.value.param == param


def test_the_default_of_what_is_not_supported_is_allowed():
    check_supported(CompletionRequest(suffix="", presence_penalty=0.0, frequency_penalty=0.0, user="me"))
