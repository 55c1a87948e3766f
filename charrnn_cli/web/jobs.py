"""Turns a completion request into the texts that the engine is asked to write."""

import dataclasses
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from charrnn_cli.config import SamplingSettings, ServeSettings, Unknown
from charrnn_cli.generation.arguments import random_seed, sampling_settings
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.prompts import Prompt, PromptEncoder
from charrnn_cli.generation.requests import TextRequest
from charrnn_cli.web.api_errors import ApiError
from charrnn_cli.web.protocol import CompletionRequest, check_supported

SAMPLING_FIELDS = (  # the fields that have the name of a setting
    *("temperature", "top_p", "top_n", "min_p", "repetition_penalty", "repetition_window", "ban", "allow_only"),
    *("allow_unknown", "stop", "keep_stop", "until_line", "lines"),
)
MOST_STOPS, LONGEST_STOP = 16, 256  # texts, and characters of each: every new token is compared with them
LONGEST_LIST = 10_000  # characters of `ban` or `allow_only`
LONGEST_WINDOW = 4096  # tokens of `repetition_window`: a long one slows down every text in the batch


class ServedModel(NamedTuple):
    """A model, the name by which requests choose it, and the encoder of its prompts."""

    name: str
    model: Model
    encoder: PromptEncoder


@dataclass(frozen=True)
class Job:
    """What one completion request asks for. Text k of prompt p has the number p * n + k in the response."""

    served: ServedModel
    prompts: list[Prompt]
    settings: SamplingSettings
    seed: int
    n: int
    best_of: int
    echo: bool
    logprobs: int | None
    bias: tuple[tuple[int, float], ...]
    owner: str
    stream: bool
    include_usage: bool
    id: str = dataclasses.field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = dataclasses.field(default_factory=lambda: int(time.time()))

    @cached_property
    def requests(self) -> list[TextRequest]:
        """The texts to write: `best_of` for each prompt."""
        return [self._request(prompt, number) for prompt in self.prompts for number in range(self.best_of)]

    def _request(self, prompt: Prompt, number: int) -> TextRequest:
        asked = self.logprobs is not None
        return TextRequest(
            prompt,
            self.settings,
            self.seed,
            number,
            self.bias,
            scored=asked or self.best_of > self.n,
            prompt_scored=asked and self.echo,
            alternatives=self.logprobs or 0,
            echo=self.echo,
            owner=self.owner,
        )


def job_of(request: CompletionRequest, served: ServedModel, limits: ServeSettings) -> Job:
    """The job of a request. Encodes the prompts, which takes time if they are long. Raises ApiError, UsageError."""
    check_supported(request)
    n = request.n or 1
    best_of = request.best_of or n
    if best_of < n:
        raise ApiError(f"`best_of` must be at least `n` ({n}), got {best_of}.", param="best_of", code="invalid_value")
    if best_of > n and request.stream:
        raise ApiError(
            f"a stream cannot have a `best_of` ({best_of}) larger than `n` ({n}). Leave out `best_of` or `stream`.",
            param="best_of",
            code="unsupported_value",
        )
    prompts = _prompts(request.prompt)
    if len(prompts) * best_of > limits.max_texts:
        raise ApiError(
            f"the request asks for {len(prompts) * best_of} texts (prompts times `n` or `best_of`). "
            f"This server allows at most {limits.max_texts}.",
            param="n",
            code="too_many_texts",
        )
    settings = _settings(request, served.model, limits)
    return Job(
        served=served,
        prompts=[_encoded(prompt, served, request.unknown or limits.unknown) for prompt in prompts],
        settings=settings,
        seed=random_seed() if request.seed is None else request.seed,
        n=n,
        best_of=best_of,
        echo=bool(request.echo),
        logprobs=request.logprobs,
        bias=_bias(request.logit_bias or {}, served.model),
        owner=request.cache_salt or "",
        stream=bool(request.stream),
        include_usage=request.stream_options is not None and request.stream_options.include_usage,
    )


def check_ids(ids: list[int], model: Model, param: str) -> None:
    """Raises ApiError for a token id that the model does not have."""
    V = len(model.vocabulary)
    for id in ids:
        if not 0 <= id < V:
            raise ApiError(
                f"`{param}` has the token id {id}, but the ids of this model are 0 to {V - 1}.",
                param=param,
                code="invalid_value",
            )


def _prompts(prompt: str | list[Any]) -> list[str | list[int]]:
    """The prompts: one text, several texts, the ids of one prompt, or those of several."""
    if isinstance(prompt, str):
        return [prompt]
    kinds = set(map(type, prompt))
    if kinds == {int}:
        return [prompt]
    if kinds in ({str}, {list}):
        return prompt
    raise ApiError(
        "`prompt` must be a text, a list of texts, a list of token ids, or a list of lists of token ids.",
        param="prompt",
        code="invalid_value",
    )


def _encoded(prompt: str | list[int], served: ServedModel, unknown: Unknown) -> Prompt:
    if isinstance(prompt, str):
        return served.encoder.encode(prompt, unknown)
    check_ids(prompt, served.model, "prompt")
    return served.encoder.of_ids(prompt)


def _settings(request: CompletionRequest, model: Model, limits: ServeSettings) -> SamplingSettings:
    """How tokens are chosen and where the texts end. Raises ApiError, UsageError."""
    values = {name: value for name in SAMPLING_FIELDS if (value := getattr(request, name)) is not None}
    for name in ("stop", "ban", "allow_only"):
        if isinstance(values.get(name), str):
            values[name] = [values[name]]
    _check_sizes(values)
    if request.max_tokens is not None:
        values["length"] = request.max_tokens
    settings = sampling_settings(values)
    if request.max_tokens is None:
        settings = dataclasses.replace(settings, length=min(settings.length, limits.max_tokens))
    if settings.length > limits.max_tokens:
        raise ApiError(
            f"`max_tokens` must be at most {limits.max_tokens} on this server, got {settings.length}.",
            param="max_tokens",
            code="too_many_tokens",
        )
    if settings.lines and model.writes_lines:
        raise ApiError("each text of this model is one line. Ask for several texts with `n`.", param="lines")
    model.check(settings)
    return settings


def _check_sizes(values: Mapping[str, Any]) -> None:
    """Raises ApiError for settings that would make every token expensive."""
    stops = values.get("stop", [])
    if len(stops) > MOST_STOPS or any(len(stop) > LONGEST_STOP for stop in stops):
        raise ApiError(
            f"`stop` may contain at most {MOST_STOPS} texts of at most {LONGEST_STOP} characters.",
            param="stop",
            code="invalid_value",
        )
    for name in ("ban", "allow_only"):
        if sum(map(len, values.get(name, []))) > LONGEST_LIST:
            raise ApiError(f"`{name}` may contain at most {LONGEST_LIST} characters.", param=name, code="invalid_value")
    if values.get("repetition_window", 0) > LONGEST_WINDOW:
        raise ApiError(
            f"`repetition_window` must be at most {LONGEST_WINDOW}.", param="repetition_window", code="invalid_value"
        )


def _bias(by_id: Mapping[str, float], model: Model) -> tuple[tuple[int, float], ...]:
    """Pairs of a token id and the number to add to its logit. Raises ApiError."""
    try:
        bias = {int(id): amount for id, amount in by_id.items()}
    except ValueError:
        raise ApiError(
            "the keys of `logit_bias` must be token ids; POST /tokenize gives them.",
            param="logit_bias",
            code="invalid_value",
        ) from None
    check_ids(list(bias), model, "logit_bias")
    return tuple(sorted(bias.items()))
