"""The routes of the HTTP interface."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from charrnn_cli.config import ServeSettings
from charrnn_cli.errors import CharrnnError
from charrnn_cli.web.api_errors import BUG, ApiError, as_api_error
from charrnn_cli.web.completions import StreamedCompletion, WholeCompletion
from charrnn_cli.web.jobs import ServedModel, job_of
from charrnn_cli.web.page import ModelPages, help_page
from charrnn_cli.web.protocol import Body, CompletionRequest, DetokenizeRequest, TokenizeRequest, decode
from charrnn_cli.web.relay import Relay
from charrnn_cli.web.safety import Access, Guard, read_body
from charrnn_cli.web.tokens import detokenize, tokenize, tokenizer_info

SHORT = 10_000  # bytes of a body whose prompts are encoded at once; others are encoded in a thread
BODY_SECONDS = 60.0  # for a client to send its body


class Api:
    """The handlers of the routes. The first model answers requests that name none."""

    def __init__(
        self, models: Sequence[ServedModel], relay: Relay, settings: ServeSettings, needs_key: bool, address: str
    ) -> None:
        self._models = {served.name: served for served in models}
        self._relay, self._settings = relay, settings
        self._needs_key, self._address = needs_key, address
        self._pages = ModelPages(models)
        self._started = int(time.time())

    async def show_page(self, request: Request) -> Response:
        """GET /?model=NAME: the page of a model, or the help if requests need a key: a browser sends none."""
        if self._needs_key:
            return await self.show_help(request)
        return await self._pages.page(self._model(request.query_params.get("model")))

    async def show_help(self, request: Request) -> Response:
        """GET /help: the addresses of the server."""
        return help_page(self._address, list(self._models), self._needs_key)

    async def complete(self, request: Request) -> Response:
        """POST /v1/completions."""
        asked, size = await self._body(request, CompletionRequest)
        served = self._model(asked.model)
        if size > SHORT:
            job = await asyncio.to_thread(job_of, asked, served, self._settings)
        else:
            job = job_of(asked, served, self._settings)
        return (StreamedCompletion if job.stream else WholeCompletion)(job, self._relay)

    async def list_models(self, request: Request) -> Response:
        """GET /v1/models."""
        return _json({"object": "list", "data": list(map(self._model_record, self._models.values()))})

    async def show_model(self, request: Request) -> Response:
        """GET /v1/models/NAME."""
        return _json(self._model_record(self._model(request.path_params["name"])))

    async def tokenize(self, request: Request) -> Response:
        """POST /tokenize."""
        asked, _ = await self._body(request, TokenizeRequest)
        served = self._model(asked.model)
        return _json(await asyncio.to_thread(tokenize, asked, served, asked.unknown or self._settings.unknown))

    async def detokenize(self, request: Request) -> Response:
        """POST /detokenize."""
        asked, _ = await self._body(request, DetokenizeRequest)
        return _json(await asyncio.to_thread(detokenize, asked, self._model(asked.model)))

    async def tokenizer_info(self, request: Request) -> Response:
        """GET /tokenizer_info?model=NAME."""
        return _json(tokenizer_info(self._model(request.query_params.get("model"))))

    async def health(self, request: Request) -> Response:
        """GET /health: texts being written, and cached states; status 503 if the engine failed or the server stops."""
        healthy = self._relay.healthy
        batcher = self._relay.batcher
        cached = {"cached_states": batcher.cached_states, "cached_bytes": batcher.cached_bytes}
        record = {"status": "ok" if healthy else "failed", "streams": batcher.streams, **cached}
        return _json(record, 200 if healthy else 503)

    async def _body(self, request: Request, kind: type[Body]) -> tuple[Body, int]:
        """The body as a record, and its size in bytes."""
        limit = int(self._settings.max_body * 1e6)
        try:
            body = await asyncio.wait_for(read_body(request.receive, limit), BODY_SECONDS)
        except asyncio.TimeoutError:
            raise ApiError(
                f"the body did not arrive within {BODY_SECONDS:.0f} seconds.",
                408,
                code="timeout",
                headers={"connection": "close"},
            ) from None
        return decode(body, kind), len(body)

    def _model(self, name: str | None) -> ServedModel:
        if name is None:
            return next(iter(self._models.values()))
        if name not in self._models:
            known = ", ".join(self._models)
            raise ApiError(
                f"this server has no model {name!r}. Its models are: {known}.",
                404,
                param="model",
                code="model_not_found",
            )
        return self._models[name]

    def _model_record(self, served: ServedModel) -> dict[str, Any]:
        record = {"id": served.name, "object": "model", "created": self._started, "owned_by": "charrnn"}
        return {**record, "description": served.model.description}


def create_app(
    models: Sequence[ServedModel], relay: Relay, settings: ServeSettings, access: Access, address: str
) -> Starlette:
    """The ASGI application. `address` is the URL of the server."""
    api = Api(models, relay, settings, access.key is not None, address)
    return Starlette(
        routes=[
            Route("/", api.show_page),
            Route("/help", api.show_help),
            Route("/health", api.health),
            Route("/v1/completions", api.complete, methods=["POST"]),
            Route("/v1/models", api.list_models),
            Route("/v1/models/{name:path}", api.show_model),
            Route("/tokenize", api.tokenize, methods=["POST"]),
            Route("/detokenize", api.detokenize, methods=["POST"]),
            Route("/tokenizer_info", api.tokenizer_info),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={
            HTTPException: _http_error,
            CharrnnError: _error,
            Exception: _bug,
        },
    )


def _json(record: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(record), status, {"cache-control": "no-store"}, "application/json")


async def _error(request: Request, error: Exception) -> Response:
    return as_api_error(error).response


async def _bug(request: Request, error: Exception) -> Response:
    """Answers after a bug. Starlette raises the exception again, and uvicorn logs it."""
    return ApiError(BUG, 500, code="bug").response


async def _http_error(request: Request, error: Exception) -> Response:
    """An unknown path or a wrong method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    message = f"{request.method} {request.url.path} is not an endpoint of this server. GET /help lists them."
    return ApiError(message, error.status_code, code="not_found", headers=headers).response
