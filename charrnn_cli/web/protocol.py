"""The requests and responses of the HTTP interface, as records that msgspec checks.

They are those of OpenAI's completions and of vLLM's tokenizer, with the settings of charrnn as additional fields. An
unknown field is an error, so nothing is ignored silently.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from charrnn_cli.config import Unknown
from charrnn_cli.web.api_errors import ApiError, invalid_json

Body = TypeVar("Body", bound=Struct)
Count = Annotated[int, Meta(ge=1)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
MOST_ALTERNATIVES = 20
FinishReason = Literal["stop", "length", "cancelled"]


class StreamOptions(Struct, forbid_unknown_fields=True):
    """How a stream ends."""

    include_usage: bool = False


class CompletionRequest(Struct, forbid_unknown_fields=True):
    """The body of POST /v1/completions. Fields that are missing or null have their defaults."""

    model: str | None = None
    prompt: str | list[str | int | list[int]] = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: Count | None = None
    best_of: Count | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: Annotated[int, Meta(ge=0, le=MOST_ALTERNATIVES)] | None = None
    echo: bool | None = None
    stop: str | list[str] | None = None
    seed: Seed | None = None
    logit_bias: dict[str, Bias] | None = None
    user: str | None = None  # ignored
    # Fields of OpenAI's interface that must have their defaults.
    suffix: str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    # Settings of charrnn.
    top_n: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    repetition_window: int | None = None
    ban: str | list[str] | None = None
    allow_only: str | list[str] | None = None
    allow_unknown: bool | None = None
    keep_stop: bool | None = None
    until_line: bool | None = None
    lines: int | None = None
    unknown: Unknown | None = None
    cache_salt: str | None = None


class TokenizeRequest(Struct, forbid_unknown_fields=True):
    """The body of POST /tokenize."""

    prompt: str
    model: str | None = None
    add_special_tokens: bool = True  # ignored: models have no special tokens around a text
    return_token_strs: bool | None = None
    unknown: Unknown | None = None


class DetokenizeRequest(Struct, forbid_unknown_fields=True):
    """The body of POST /detokenize."""

    tokens: list[int]
    model: str | None = None


class Logprobs(Struct):
    """Tokens as the vocabulary names them, with log-probabilities in nats and positions in the text."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class ChoiceRecord(Struct):
    """One of the texts of a response."""

    index: int
    text: str
    logprobs: Logprobs | None
    finish_reason: FinishReason


class Usage(Struct):
    """The number of tokens in the prompts and in all texts. Cached tokens of a prompt did not have to be read."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[Literal["cached_tokens"], int]


class CompletionResponse(Struct):
    """The response of POST /v1/completions. The same `seed` gives the same texts."""

    id: str
    created: int
    model: str
    seed: int
    choices: list[ChoiceRecord]
    usage: Usage
    object: str = "text_completion"


def decode(body: bytes | bytearray, kind: type[Body]) -> Body:
    """A request from its JSON text. Raises ApiError."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_json(error, kind.__struct_fields__) from error


def check_supported(request: CompletionRequest) -> None:
    """Raises ApiError for fields of OpenAI's interface that are not supported."""
    unsupported: dict[str, Any] = {
        "suffix": request.suffix,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
    }
    for name, value in unsupported.items():
        if value:
            hint = "" if name == "suffix" else " Use `repetition_penalty`."
            raise ApiError(f"`{name}` is not supported.{hint}", param=name, code="unsupported_value")
    if request.stream_options is not None and not request.stream:
        raise ApiError("`stream_options` needs `stream: true`.", param="stream_options", code="invalid_value")
