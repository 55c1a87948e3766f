import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_engine import ASSETS, packed, random_model, run_in_node

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.web.html_page import base85, export_html, html_json, html_page
from charrnn_cli.web.packing import pack

HOSTILE = "</script><script>alert(1)</script><!-- \u202e\u2028\ufeff & {{data}} \ud83d"
FROM_HTML = str.maketrans(",.:/", "&<>`")  # the digits of base 85 that RFC 1924 has instead


class Page(HTMLParser):
    """The elements of a page: (tag, attributes, text)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.is_open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        self.is_open = True

    def handle_endtag(self, tag):
        self.is_open = False

    def handle_data(self, data):
        if self.is_open:
            self.elements[-1][2] += data

    def all(self, tag):
        return [element for element in self.elements if element[0] == tag]

    def unpacked(self, name):
        return zlib.decompress(base64.b85decode(self.text(name).translate(FROM_HTML))).decode()

    def text(self, name):
        return next(text for _, attributes, text in self.elements if attributes.get("id") == name)


@pytest.fixture(scope="module")
def page():
    return Page(html_page(random_model(), "tiny", [{"name": "quotes"}]))


def test_the_policy_allows_exactly_the_scripts_and_the_style_of_the_page(page):
    policy = next(attributes["content"] for _, attributes, _ in page.all("meta") if "http-equiv" in attributes)
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    (unpacking,) = [text for _, attributes, text in page.all("script") if "type" not in attributes]
    scripts = [unpacking, page.unpacked("packed-script")]
    assert directives["script-src"].split() == [*map(_hash, scripts), "'wasm-unsafe-eval'"]
    assert directives["style-src"] == _hash(page.unpacked("packed-style"))
    assert directives["default-src"] == "'none'"
    assert "http" not in policy
    assert "connect-src" not in policy
    assert not page.all("style")


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_script_and_the_style_are_those_of_the_assets(page):
    script, style = page.unpacked("packed-script"), page.unpacked("packed-style")
    for path in ASSETS.iterdir():
        if path.suffix in (".js", ".css") and path.name not in ("unpacking.js", "report.js"):
            assert path.read_text("utf-8") in (script if path.suffix == ".js" else style)


def test_the_code_takes_at_most_60_kilobytes(page):
    model = len(page.text("model-header")) + len(page.text("model-weights"))
    assert len(html_page(random_model(), "tiny", [{"name": "quotes"}]).encode()) - model <= 60_000


def test_the_page_loads_nothing(page):
    for tag, attributes, _ in page.elements:
        assert attributes.get("src") is None
        assert not attributes.get("href", "").startswith(("http", "//"))
        assert tag not in ("iframe", "object", "embed")
    style = page.unpacked("packed-style")
    assert "url(" not in style.replace("url(data:", "")
    assert "@import" not in style


def test_a_footer_stands_at_the_end():
    page = Page(html_page(random_model(), footer='<p id="more">More: {{data}}</p>'))
    assert page.text("more") == "More: {{data}}"


def test_the_page_contains_the_model(page):
    header = json.loads(page.text("model-header"))
    packed_header, weights = pack(random_model(), "tiny", [{"name": "quotes"}])
    assert header == json.loads(json.dumps(packed_header))
    read = run_in_node(
        """
        const weights = Buffer.from(charrnn.fromBase85(job.weights));
        const wasm = Buffer.from(charrnn.fromBase85(job.wasm));
        say([weights.toString("base64"), wasm.equals(charrnn.wasmBytes)]);
        """,
        weights=page.text("model-weights"),
        wasm=page.text("arithmetic-wasm"),
    )
    assert read == [base64.b64encode(weights).decode(), True]


def test_hostile_names_and_tokens_stay_text():
    vocabulary = Vocabulary("word", ("<unk>", HOSTILE, "a", "\0"), unknown=0)
    text = html_page(random_model(vocabulary=vocabulary), HOSTILE, [{"title": HOSTILE}])
    plain = Page(html_page(random_model()))
    hostile = Page(text)
    assert [tag for tag, _, _ in hostile.elements] == [tag for tag, _, _ in plain.elements]
    assert json.loads(hostile.text("model-header"))["tokens"] == list(vocabulary.tokens)
    assert hostile.all("title")[0][2] == HOSTILE.replace("\ud83d", "?")


@given(st.text(st.characters(exclude_categories=())))
def test_json_in_html_is_the_same_record(text):
    written = html_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not re.search("[<>&\u2028\u2029\u202e]", written)
    written.encode()


@given(st.binary(max_size=30))
def test_base85_has_no_character_of_html(data):
    text = base85(data)
    assert not set(text) & set("<>&\"'`\\")
    assert base64.b85decode(text.translate(FROM_HTML)) == data


def test_base85_is_read_in_javascript():
    data = [np.random.default_rng(size).bytes(size) for size in range(40)]
    read = run_in_node(
        "say(job.texts.map((text) => Array.from(charrnn.fromBase85(text))));", texts=[*map(base85, data)]
    )
    assert [bytes(one) for one in read] == data


def test_no_asset_ends_its_element():
    for path in ASSETS.glob("*.js"):
        assert not re.search("</script|<!--|<script", path.read_text("utf-8"), re.IGNORECASE), path.name


def test_a_file_is_replaced_only_by_force(folder):
    model = random_model()
    path = export_html(model, "tiny", folder / "new" / "page.html")
    first = path.read_bytes()
    with pytest.raises(RunError, match="force"):
        export_html(model, "other", path)
    assert path.read_bytes() == first
    export_html(model, "other", path, force=True)
    assert path.read_bytes() != first
    with pytest.raises(UsageError, match="is a folder"):
        export_html(model, "tiny", folder)
    assert [one.name for one in (folder / "new").iterdir()] == ["page.html"]


def test_a_page_of_another_version_is_refused():
    model = packed(random_model())
    model["header"]["format"] = 99
    message = run_in_node("await open(job.model).catch((error) => say(error.message));", model=model)
    assert "another version of charrnn" in message
