"""Who may use the server: names of its address, origins of web pages, and the key."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from charrnn_cli.web.api_errors import ApiError

OPEN_PATHS = ("/", "/help", "/health")  # need no key
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-max-age": "600",
}


@dataclass(frozen=True)
class Access:
    """Whom a server answers.

    `hosts` are the names that a Host header may have, None for any. A web page whose own name points to this machine
    (DNS rebinding) sends another name. `origins` are the origins of web pages that may use the server besides its own
    page; "*" allows all.
    """

    hosts: frozenset[str] | None
    origins: frozenset[str] = frozenset()
    key: str | None = None

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether web pages of `origin` may use the server, whose name in this request is `host`."""
        return bool({origin, "*"} & self.origins) or origin.partition("://")[2] == host

    def check(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises ApiError for a request that is not allowed."""
        self._check_host(_values(headers, b"host"))
        for origin in _values(headers, b"origin"):
            if not self.allows_origin(origin, _values(headers, b"host")[0]):
                allowing = "'*'" if origin == "null" else origin  # a page in a file has no origin that can be named
                raise ApiError(
                    f"web pages of {origin} may not use this server. To allow them, start it with --cors {allowing}.",
                    403,
                    code="origin_not_allowed",
                )
        if self.key is not None and path not in OPEN_PATHS:
            self._check_key(_values(headers, b"authorization"))

    def _check_host(self, hosts: Sequence[str]) -> None:
        if len(hosts) != 1 or (self.hosts is not None and host_name(hosts[0]) not in self.hosts):
            names = "any name" if self.hosts is None else ", ".join(sorted(self.hosts))
            raise ApiError(
                f"the Host header must be one of this server's names: {names}.", 403, code="host_not_allowed"
            )

    def _check_key(self, given: Sequence[str]) -> None:
        expected = f"Bearer {self.key}".encode()
        # The header is Latin-1 by the standard; keys in other characters arrive as the bytes of their UTF-8.
        if len(given) != 1 or not hmac.compare_digest(given[0].encode("latin-1"), expected):
            raise ApiError(
                "this server needs a key. Send its key in the header Authorization: Bearer KEY.",
                401,
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )


def host_name(host: str) -> str:
    """A Host header without the port, and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


class Guard:
    """ASGI middleware that refuses what `access` does not allow, and answers the preflight requests of browsers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = next(iter(_values(scope["headers"], b"origin")), None)
        asks_method = _values(scope["headers"], b"access-control-request-method")
        preflight = scope["method"] == "OPTIONS" and origin and asks_method
        try:
            # A preflight request has no key.
            self._access.check("/" if preflight else scope["path"], scope["headers"])
        except ApiError as error:
            if origin and error.status == 401:  # from an origin that is allowed
                send = _with_origin(send, origin)
            await error.response(scope, receive, send)
            return
        if origin:
            send = _with_origin(send, origin)
        if preflight:
            await Response(status_code=204, headers=PREFLIGHT_HEADERS)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def read_body(receive: Receive, limit: int) -> bytearray:
    """The body of a request. Raises ApiError if it has more than `limit` bytes, or if the client disconnects."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError("the client disconnected.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise ApiError(
                f"the body is larger than {limit} bytes, which is the limit of this server.",
                413,
                code="body_too_large",
                headers={"connection": "close"},
            )
        if not message.get("more_body", False):
            return body


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _with_origin(send: Send, origin: str) -> Send:
    """Adds the headers that let a page of an allowed origin read the response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            allowed: list[Any] = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
            message = {**message, "headers": [*message.get("headers", ()), *allowed]}
        await send(message)

    return sending
