"""The view that writes, in a real browser: opened as a file, without a network."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from page_browser import axe_violations, button, program, tiny_model

from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.web.html_page import html_page

EVIL = (
    "</script><script>window.hacked=1</script>",
    "<img/src=x/onerror=window.hacked=1>",
    "\u202eevil",
    "🦊",
    "a",
    "b",
    "c",
)
WORDS = Vocabulary("word", (*EVIL, "||Period||", "||Return||"), marks={"||Period||": ".", "||Return||": "\n"})
HOSTILE_NAME = "</title><script>window.hacked=1</script>\u202e🦊"
TEXT = "[contenteditable]"
MAIN_BUTTON = ".button.primary"
NODE = """
const fs = require("fs"), vm = require("vm"), zlib = require("zlib"), [page, seed, count] = process.argv.slice(2);
const html = fs.readFileSync(page, "utf8");
const inside = (id) => html.match(new RegExp(`id="${id}">([^]*?)</script>`))[1];
vm.runInThisContext(html.match(/<script>([^]*?)<\\/script>/)[1]);
vm.runInThisContext(zlib.inflateSync(charrnn.fromBase85(inside("packed-script"))).toString());
globalThis.document = {getElementById: (id) => ({textContent: inside(id)})};
charrnn.openEmbedded({wasm: false}).then((model) => {
  const uniform = charrnn.uniforms(Number(seed)), ids = [];
  let state = model.firstIds().reduce((before, id) => model.read(before, id), model.start());
  while (ids.length < Number(count)) {
    ids.push(charrnn.draw(model, state.logits, {}, ids, uniform()));
    state = model.read(state, ids[ids.length - 1]);
  }
  console.log(JSON.stringify(model.decode(ids)));
});
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The addresses of a page with characters, and of one with a hostile name and hostile words."""
    folder = tmp_path_factory.mktemp("pages")
    chars, words = folder / "chars.html", folder / "words.html"
    chars.write_text(html_page(tiny_model(), "tiny"), "utf-8")
    words.write_text(html_page(tiny_model(WORDS), HOSTILE_NAME), "utf-8")
    return chars.as_uri(), words.as_uri()


def text_of(page, number=0):
    return page.locator(TEXT).nth(number).text_content()


def token(page, number):
    """The box of a letter of the text."""
    return page.locator(f"{TEXT} .token", has_text=re.compile("[a-z]")).nth(number)


def write(page, length):
    if not page.locator("#setting-length").is_visible():
        page.get_by_text("More settings").click()
    page.fill("#setting-length", str(length))
    page.select_option("#speed", "fast")
    button(page, "Write").click()
    finish(page)


def finish(page):
    page.wait_for_selector(f"{MAIN_BUTTON}:text-is('Write')")


def test_each_control_works(visit, pages):
    page = visit(pages[0], accept_downloads=True)
    write(page, 300)
    assert len(text_of(page)) == 300
    button(page, "Step").click()
    assert len(text_of(page)) == 301
    button(page, "Undo").click()
    button(page, "Undo").click()
    assert text_of(page) == ""
    button(page, "Step").click()
    page.wait_for_selector(".count:text-is('1 token')")
    button(page, "Undo").click()
    page.wait_for_selector(".count:text-is('0 tokens')")
    page.select_option("#speed", "calm")
    button(page, "Write").click()
    page.wait_for_selector(f"{TEXT} .token", state="attached")  # it may be a line break, which is hidden
    button(page, "Pause").click()
    written = text_of(page)
    page.wait_for_timeout(100)
    assert 0 < len(text_of(page)) == len(written) < 300
    button(page, "Write").click()
    page.select_option("#speed", "fast")  # while it writes
    finish(page)
    assert len(text_of(page)) == len(written) + 300
    page.uncheck("#tint")
    assert page.locator(".untinted").count() == 1
    page.select_option("#number", "4")
    button(page, "New seed for text 2").click()
    write(page, 50)
    texts = [text_of(page, number) for number in range(4)]
    assert len(set(texts)) == 4
    with page.expect_download() as download:
        button(page, "Save").click()
    saved = Path(download.value.path()).read_text("utf-8")
    assert all(text in saved for text in texts)
    page.fill("#setting-topP", "7")
    assert page.get_attribute("#setting-topP", "aria-invalid") == "true"
    button(page, "Copy").click()
    page.wait_for_selector(".flash")


def test_a_link_writes_the_same_text_again(visit, pages):
    page = visit(pages[0])
    page.locator(TEXT).press_sequentially("the fox\n\nsaid ")
    page.fill("#seed-1", "12")
    write(page, 200)
    token(page, 40).click()
    page.locator(".choice").nth(3).click()
    kept = len(text_of(page))
    assert kept < 213
    page.locator("#setting-temperature").press("ArrowRight")
    write(page, 150)
    button(page, "Link").click()
    link, text = page.input_value("#link"), text_of(page)
    assert len(text) == kept + 150
    assert "prime=the+fox" in link
    other = visit(link)
    finish(other)
    assert text_of(other) == text
    assert other.input_value("#setting-temperature") == page.input_value("#setting-temperature")
    for each in (page, other):
        write(each, 50)
    assert text_of(other) == text_of(page)


def test_the_box_has_exactly_what_is_typed(visit, pages):
    page = visit(pages[0])
    box = page.locator(TEXT)
    box.press_sequentially("one\ntwo  three")
    assert text_of(page) == "one\ntwo  three"
    for key in ("Home", "Backspace", "Enter", "Enter", "End", "Backspace", "Control+Home", "Delete"):
        box.press(key)
    assert text_of(page) == "ne\n\ntwo  thre"
    box.press("Control+z")
    assert "one" in text_of(page) or text_of(page) == ""
    page.evaluate("getSelection().selectAllChildren(document.querySelector('[contenteditable]'))")
    page.keyboard.insert_text("a b")
    assert text_of(page) == "a b"
    box.press("ArrowLeft")
    write(page, 10)
    assert (text_of(page)[:2], len(text_of(page))) == ("a ", 12)
    button(page, "Undo").click()
    assert text_of(page) == "a b"


def test_the_keyboard_is_enough(visit, pages):
    page = visit(pages[0])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(TEXT)
    box.focus()
    page.keyboard.type("ab")
    page.keyboard.press("Alt+ArrowRight")
    assert len(text_of(page)) == 3
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert len(text_of(page)) == 4
    assert box.evaluate("(box) => box === document.activeElement")
    page.keyboard.press("Control+z")
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Escape")
    assert len(text_of(page)) == 3 and not page.locator(".alternatives").is_visible()
    page.get_by_role("tab").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab").nth(1).get_attribute("aria-selected") == "true"


@pytest.mark.parametrize("options", [{"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}, {}])
def test_no_serious_barrier(visit, pages, options):
    page = visit(pages[0] + "#prime=ab+cd&seed=3&more=0.200.0", **options)
    finish(page)
    page.get_by_text("More settings").click()
    token(page, 20).click()
    for tab in page.get_by_role("tab").all():
        violations = axe_violations(page)
        assert violations == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        tab.click()


def test_hostile_names_tokens_and_texts_stay_text(visit, pages):
    page = visit(pages[1] + "#prime=" + "%3Cimg+src=x+onerror=window.hacked=1%3E&seed=2&more=0.30.0")
    finish(page)
    assert page.text_content("h1") == HOSTILE_NAME
    assert page.locator(TEXT).inner_text().startswith("<img src=x onerror=window.hacked=1>")
    button(page, "What next?").click()
    shown = page.locator(".alternatives").inner_text()
    assert EVIL[0] in shown and "\u202e" not in shown
    page.locator(TEXT).focus()
    paste = "<script>window.hacked=1</script>\u202e🦊 " * 25_000
    page.evaluate(
        """(text) => {
            const data = new DataTransfer(), box = document.querySelector("[contenteditable]");
            data.setData("text/plain", text);
            box.dispatchEvent(new InputEvent("beforeinput",
                {inputType: "insertFromPaste", dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        paste,
    )
    assert 40_000 < len(text_of(page)) <= 50_000  # Copy and Save have all of it
    assert "<script>window.hacked=1</script>\u202e🦊" in text_of(page)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, object").count() == 0
    assert page.locator("script").count() == page.content().count("<script")
    box, body = page.locator(TEXT).bounding_box(), page.locator("body").bounding_box()
    assert body["width"] <= page.viewport_size["width"] and box["height"] < page.viewport_size["height"]


def test_a_seed_writes_the_same_text_in_node(visit, pages, folder):
    node = program("Node", "node")
    (folder / "write.js").write_text(NODE, "utf-8")
    path = re.sub("^file://", "", pages[0])
    result = subprocess.run(
        [node, "write.js", path, "7", "500"], capture_output=True, text=True, check=True, timeout=100
    )
    page = visit(pages[0] + "#seed=7&prime=&more=0.500.0")
    finish(page)
    assert text_of(page) == json.loads(result.stdout)
