import pytest
from fake_engine import TinyModel, served

from charrnn_cli.config import SamplingSettings, ServeSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.web.api_errors import ApiError
from charrnn_cli.web.jobs import check_ids, job_of
from charrnn_cli.web.protocol import CompletionRequest


def job(model=None, limits=None, **fields):
    return job_of(CompletionRequest(**fields), served(model=model), limits or ServeSettings())


def test_defaults_are_those_of_sample():
    assert job(prompt="abc").settings == SamplingSettings()
    assert job(limits=ServeSettings(max_tokens=7)).settings.length == 7
    assert job(lines=3).settings.length == 3000


def test_fields_become_settings():
    settings = job(max_tokens=5, temperature=0, top_n=3, stop="b", ban=["c"], until_line=True).settings
    assert settings == SamplingSettings(length=5, temperature=0, top_n=3, stop=("b",), ban=("c",), until_line=True)


def test_text_k_of_each_prompt_has_the_number_k():
    requests = job(prompt=["a", "bb"], n=2, best_of=3, seed=5, logit_bias={"1": 2.0}, cache_salt="me").requests
    assert [(request.prompt.length, request.number, request.seed) for request in requests] == [
        (length, number, 5) for length in (1, 2) for number in range(3)
    ]
    assert all(request.scored and not request.prompt_scored for request in requests)
    assert {(request.bias, request.owner) for request in requests} == {(((1, 2.0),), "me")}


def test_a_missing_seed_is_random():
    assert len({job().seed for _ in range(20)}) > 1


@pytest.mark.parametrize("prompt", [[0, 1], [[0, 1]], "ab", ["ab"]])
def test_a_prompt_may_be_text_or_ids(prompt):
    (encoded,) = job(prompt=prompt).prompts
    assert encoded.ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [5]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"prompt": ["a"] * 65, "n": 2}, "n"),
        ({"max_tokens": 100_001}, "max_tokens"),
        ({"logit_bias": {"a": 1.0}}, "logit_bias"),
        ({"logit_bias": {"99": 1.0}}, "logit_bias"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": "a" * 257}, "stop"),
        ({"ban": "a" * 10_001}, "ban"),
        ({"repetition_window": 5000}, "repetition_window"),
    ],
)
def test_what_is_too_much_or_wrong_is_refused(fields, param):
    with pytest.raises(ApiError) as raised:
        job(**fields)
    assert (raised.value.status, raised.value.param) == (400, param)


@pytest.mark.parametrize("fields", [{"prompt": "ä"}, {"top_p": 0}, {"max_tokens": -1}, {"allow_only": "x"}])
def test_the_library_checks_the_rest(fields):
    with pytest.raises(UsageError):
        job(**fields)


def test_what_the_model_does_not_know_can_be_skipped():
    assert job(prompt="aäb", unknown="skip").prompts[0].length == 2
    assert job(limits=ServeSettings(unknown="skip"), prompt="aäb").prompts[0].length == 2


def test_a_model_of_a_list_writes_one_line_a_text():
    class Names(TinyModel):
        writes_lines = True

    with pytest.raises(ApiError, match="`n`"):
        job(Names(), lines=2)


def test_ids_are_checked():
    check_ids([0, 4], TinyModel(), "tokens")
    with pytest.raises(ApiError, match="`tokens` has the token id 5"):
        check_ids([0, 5], TinyModel(), "tokens")
