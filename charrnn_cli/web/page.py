"""The pages for people: one that writes with a model in the browser, and one that lists the addresses for programs."""

import asyncio
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from starlette.responses import Response

from charrnn_cli.web.jobs import ServedModel

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
HELP_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
PAGE_POLICY = "frame-ancestors 'none'"  # the page has a policy of its own
ENDPOINTS = (
    ("POST /v1/completions", "writes texts, as OpenAI's completions do"),
    ("GET /v1/models", "lists the models"),
    ("POST /tokenize", "turns a text into token ids"),
    ("POST /detokenize", "turns token ids into a text"),
    ("GET /tokenizer_info", "describes the tokens of a model"),
    ("GET /health", "says whether the server is working"),
    ("GET /", "shows a page that writes with a model in the browser, unless the server needs a key"),
)


class ModelPages:
    """The HTML page of each model, made at its first request."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._names = [served.name for served in models]
        self._pages: dict[str, bytes] = {}
        self._making = asyncio.Lock()

    async def page(self, served: ServedModel) -> Response:
        """The page of one of the models. Raises RunError if its file of found cells is damaged."""
        async with self._making:
            if served.name not in self._pages:
                self._pages[served.name] = await asyncio.to_thread(self._make, served)
        headers = {**HEADERS, "content-security-policy": PAGE_POLICY}
        return Response(self._pages[served.name], 200, headers, "text/html")

    def _make(self, served: ServedModel) -> bytes:
        from charrnn_cli.runs.found_cells import read_cells
        from charrnn_cli.web.html_page import html_page  # here, because only this page needs it

        stored = served.model.stored
        cells = read_cells(served.model.run, stored.checksum)
        return html_page(stored, served.name, cells, footer=self._footer(served.name)).encode()

    def _footer(self, shown: str) -> str:
        """Links to the pages of the other models, and to the help for programs."""
        others = [name for name in self._names if name != shown]
        links = ", ".join(f'<a href="/?{escape(urlencode({"model": name}))}">{escape(name)}</a>' for name in others)
        models = f"Other models here: {links}. " if links else ""
        return f'<p>{models}Programs can use <a href="/help">the HTTP interface</a> of this server.</p>'


def help_page(address: str, models: Sequence[str], needs_key: bool) -> Response:
    """The addresses of the server. The page does not name the models if requests need a key."""
    named = "All requests need a key." if needs_key else f"Models: {', '.join(map(escape, models))}."
    rows = "\n".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(does)}</td></tr>" for name, does in ENDPOINTS
    )
    body = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>charrnn</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }}
td {{ padding-right: 1.5em; vertical-align: top }} code {{ white-space: nowrap }}
pre {{ white-space: pre-wrap }}</style>
<h1>charrnn</h1>
<p>This server writes text with recurrent language models. {named}</p>
<table>
{rows}
</table>
<pre>curl {escape(address)}/v1/completions -d '{{"prompt": "Far", "max_tokens": 100}}'</pre>
</html>
"""
    return Response(body, 200, {**HEADERS, "content-security-policy": HELP_POLICY}, "text/html")
