"""The page at /: what this server is and how to use it."""

from collections.abc import Sequence
from html import escape

from starlette.responses import Response

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
ENDPOINTS = (
    ("POST /v1/completions", "writes texts, as OpenAI's completions do"),
    ("GET /v1/models", "lists the models"),
    ("POST /tokenize", "turns a text into token ids"),
    ("POST /detokenize", "turns token ids into a text"),
    ("GET /tokenizer_info", "describes the tokens of a model"),
    ("GET /health", "says whether the server is working"),
)


def page(address: str, models: Sequence[str], needs_key: bool) -> Response:
    """The page. It does not name the models if requests need a key."""
    named = "All requests need a key." if needs_key else f"Models: {', '.join(map(escape, models))}."
    rows = "\n".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(does)}</td></tr>" for name, does in ENDPOINTS
    )
    body = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>charrnn</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em }}
td {{ padding-right: 1.5em; vertical-align: top }} pre {{ overflow: auto }}</style>
<h1>charrnn</h1>
<p>This server writes text with recurrent language models. {named}</p>
<table>
{rows}
</table>
<pre>curl {escape(address)}/v1/completions -d '{{"prompt": "Far", "max_tokens": 100}}'</pre>
</html>
"""
    return Response(body, 200, HEADERS, "text/html")
