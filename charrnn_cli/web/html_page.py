"""One HTML file with a model, the engine that computes it and the views that show it. It needs no other file.

`shell.html` has a place for each part: `{{policy}}`, `{{title}}`, `{{style}}`, `{{script}}`, `{{unpacking}}`,
`{{body}}` and `{{data}}`. The scripts of `assets/` become one script. The script and the style are compressed;
`unpacking.js` unpacks them and adds them to the page. The policy allows only these scripts and this style, and no
connections.
"""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from charrnn_cli.errors import RunError, UsageError, disk_errors
from charrnn_cli.files import anything_exists, folder_exists, write_bytes
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.web.packing import pack

FIRST_SCRIPT = "unpacking.js"  # the only script that is not compressed
# In this order, before others.
ENGINE_SCRIPTS = ("numbers.js", "tokens.js", "sampling.js", "arithmetic.js", "engine.js", "elements.js")
LAST_SCRIPT = "page.js"  # opens the model and shows the views
REPORT_SCRIPT = "report.js"  # belongs to the report of `charrnn visualize`
PLACES = re.compile(r"\{\{(\w+)\}\}")
# What JSON in HTML writes as an escape: what could end its element, line ends of old JavaScript, characters that are
# invisible or change the direction of text, and halves of characters, which UTF-8 cannot write.
ESCAPED = re.compile("[<>&\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]")
BASE85_IN_HTML = bytes.maketrans(b"&<>`", b",.:/")  # replaces the digits of RFC 1924 that mean something in HTML


def export_html(
    model: StoredModel, name: str, path: Path, cells: Sequence[dict[str, Any]] = (), force: bool = False
) -> Path:
    """Writes the page of a model to `path`.

    `force` replaces a file. Raises UsageError if `path` is a folder, RunError if a file is there and `force` is False;
    DiskError.
    """
    if folder_exists(path) or not path.name:
        raise UsageError(f"`html={path}` is a folder. Pass the name of a file, such as `html=page.html`.")
    if anything_exists(path) and not force:
        raise RunError(f"{path} already exists. To replace it, pass `force=True`.")
    page = html_page(model, name, cells)
    with disk_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, page.encode())
    return path


def html_page(model: StoredModel, name: str = "model", cells: Sequence[dict[str, Any]] = (), footer: str = "") -> str:
    """The page of a checked model with its name and found cells. `footer` is HTML for the end of the page."""
    header, weights = pack(model, name, cells)
    data = "\n".join(
        (
            f'<script type="application/json" id="model-header">{html_json(header)}</script>',
            f'<script type="text/plain" id="model-weights">{base85(weights)}</script>',
            f'<script type="text/plain" id="arithmetic-wasm">{base85(asset("arithmetic.wasm"))}</script>',
        )
    )
    return filled_page("page.html", name, data, _script_names(), footer)


def filled_page(body: str, title: str, data: str, script_names: Iterable[str], footer: str = "") -> str:
    """A page with the asset `body`, a title, elements with data, these scripts, the style and a policy.

    `footer` is HTML for the end of the body.
    """
    unpacking = asset(FIRST_SCRIPT)
    script, style = (b"\n".join(map(asset, names)) for names in (script_names, _names(".css")))
    shown_title = escape(title.encode("utf-8", "replace").decode())
    return _filled(
        "shell.html",
        policy=_policy((unpacking, script), style),
        title=shown_title,
        style=packed_text(style),
        script=packed_text(script),
        unpacking=unpacking.decode(),
        body=_filled(body, title=shown_title, footer=footer),
        data=data,
    )


def asset(name: str) -> bytes:
    """The content of a file in `assets/`."""
    return (files("charrnn_cli.web") / "assets" / name).read_bytes()


def html_json(record: Any) -> str:
    """A record as JSON that is safe inside an element of an HTML page."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return ESCAPED.sub(lambda character: f"\\u{ord(character[0]):04x}", text)


def packed_text(data: bytes) -> str:
    """Compressed bytes in base 85, as `unpacking.js` reads them."""
    return base85(zlib.compress(data, 9))


def base85(data: bytes) -> str:
    """Bytes as text that is safe inside an element of an HTML page: five digits for each four bytes."""
    return base64.b85encode(data).translate(BASE85_IN_HTML).decode()


def _filled(name: str, **parts: str) -> str:
    """An asset in which each `{{name}}` is replaced by the part of that name."""
    return PLACES.sub(lambda place: parts[place[1]], asset(name).decode())


def _names(ending: str) -> list[str]:
    names = (path.name for path in (files("charrnn_cli.web") / "assets").iterdir())
    return sorted(name for name in names if name.endswith(ending))


def _script_names() -> list[str]:
    """The scripts of the page in their order, without `unpacking.js`."""
    elsewhere = {FIRST_SCRIPT, *ENGINE_SCRIPTS, LAST_SCRIPT, REPORT_SCRIPT}
    others = [name for name in _names(".js") if name not in elsewhere]
    return [*ENGINE_SCRIPTS, *others, LAST_SCRIPT]


def _policy(scripts: Iterable[bytes], style: bytes) -> str:
    """The Content-Security-Policy of a page: what it may run and show."""
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {allowed} 'wasm-unsafe-eval'; style-src {_hash(style)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(data: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(data).digest()).decode()}'"
