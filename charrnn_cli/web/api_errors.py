"""Errors as HTTP clients see them: a status, and a JSON object in OpenAI's shape."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from charrnn_cli.errors import CharrnnError, TextError, UsageError
from charrnn_cli.generation.prime import UnknownTokensError
from charrnn_cli.setting import with_names
from charrnn_cli.wording import did_you_mean

API_NAMES = {"length": "max_tokens", "num": "n"}  # settings that have another name in OpenAI's interface
FIELD = re.compile(r"`\$\.(\w+)|field `(\w+)`")  # how msgspec names the field in its messages
BUG = "the request failed because of a bug in the server, whose terminal shows the details."

logger = logging.getLogger(__name__)


class ApiError(CharrnnError):
    """A request that is refused or failed. `code` names the error for programs, `param` the wrong field."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, dict(headers or {})

    @property
    def record(self) -> dict[str, Any]:
        """The JSON object of the error."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    @property
    def response(self) -> Response:
        body = msgspec.json.encode(self.record)
        return Response(body, self.status, {"cache-control": "no-store", **self.headers}, "application/json")


def as_api_error(error: Exception) -> ApiError:
    """Turns any error into one for clients, who never see a traceback. Bugs are logged."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, UsageError | TextError):
        names: list[str] = []

        def written(setting: str, value: str | None) -> str:
            names.append(API_NAMES.get(setting, setting))
            return f"`{names[-1]}`" if value is None else f'`"{names[-1]}": "{value}"`'

        message = with_names(str(error), written)
        if isinstance(error, UnknownTokensError):
            names = ["prompt"]
        return ApiError(message, param=names[0] if names else None, code="invalid_value")
    if isinstance(error, CharrnnError):
        return ApiError(str(error), 500, code="model_failed")
    logger.error("a request failed because of a bug", exc_info=error)
    return ApiError(BUG, 500, code="bug")


def invalid_json(error: Exception, fields: Iterable[str]) -> ApiError:
    """The error for a body that msgspec rejects. `fields` are those that it could have."""
    message = str(error)
    found = FIELD.search(message)
    param = (found[1] or found[2]) if found else None
    if "unknown field" in message:
        guess = did_you_mean(param or "", fields)
        return ApiError(
            f"`{param}` is not a supported field of this request.{guess}", param=param, code="unknown_field"
        )
    return ApiError(f"the body is not a valid request: {message}.", param=param, code="invalid_value")
