"""The views that score a text and look at cells, and the report, in a real browser."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from page_browser import axe_violations, button, tiny_model
from web.test_report import ANALYSIS

from charrnn_cli.generation.scoring import score_text
from charrnn_cli.text.scorable import ScorableText
from charrnn_cli.web.html_page import html_page
from charrnn_cli.web.packing import dequantized_weights
from charrnn_cli.web.report import report_page

SENTENCE = 'the fox\'s "word" was said.\nand so on, '
TEXT = SENTENCE * 4
CELL = {"name": "quotes", "title": "inside quotes", "state": "c", "layer": 0, "cell": 3, "measure": "AUC", "sign": 1}
FOUND = {**CELL, "score": 0.97, "control": 0.55, "low": -0.9, "high": 3.0, "scale": 1.0}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "page.html"
    path.write_text(html_page(model, "tiny", [FOUND]), "utf-8")
    return path.as_uri()


def choose_view(page, name):
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)


def score(page, text):
    view = choose_view(page, "Score")
    view.get_by_label("Text", exact=True).fill(text)
    button(view, "Score").click()
    view.locator("#score-bits").wait_for()
    return view


def test_a_text_has_as_many_bits_as_in_python(visit, address, model):
    ids = np.array([model.vocabulary.ids[character] for character in TEXT.replace(",", "")], np.int32)
    in_8_bits = replace(model, weights=dequantized_weights(model))
    *_, expected = score_text(in_8_bits, ScorableText(ids, len(ids) - 1, 0), torch.device("cpu"), exact=True)
    view = score(visit(address), TEXT)
    assert float(view.locator("#score-bits").inner_text()) == pytest.approx(expected.bits_per_character, abs=1e-2)
    assert view.locator(".tinted").inner_text() == TEXT.replace(",", "")
    assert "," in view.locator(".note").inner_text()


def test_odd_places_lead_to_the_text(visit, address):
    view = score(visit(address), SENTENCE * 200)
    text = view.locator(".tinted")
    assert text.locator("span").count() == 3000
    places = view.locator(".places button").all()
    assert len(places) == 12
    for place in places:
        place.click()
        assert (
            text.locator("[data-chosen]").inner_text().strip()
            == place.locator("mark").inner_text().replace("⏎", "").strip()
        )
    text.press("ArrowRight")
    assert "Expected" in view.locator(".detail").inner_text()


def test_a_long_text_can_be_stopped(visit, address):
    page = visit(address)
    view = choose_view(page, "Score")
    view.get_by_label("Text", exact=True).evaluate(
        """(field) => {
            const data = new DataTransfer();
            data.setData("text/plain", "</textarea><script>window.hacked=1</script>a\\u202e".repeat(25000));
            field.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    button(view, "Score").click()
    button(view, "Stop").click()
    view.locator(".numbers").filter(has_text="stopped").wait_for()
    assert page.evaluate("window.hacked") is None


def neurons(page):
    view = choose_view(page, "Neurons")
    view.locator(".tinted-text .tinted span").first.wait_for(state="attached")
    return view


def written(view):
    button(view, "Write both").click()
    button(view, "Stop").wait_for(state="hidden")
    return [view.locator(f"#{name}-text").inner_text() for name in ("free", "held")]


def test_a_held_cell_changes_the_text(visit, address):
    view = neurons(visit(address))
    free, held = written(view)
    assert free != held
    view.locator("#clamp").fill("-1.125")
    other_free, other_held = written(view)
    assert other_free == free
    assert other_held not in (free, held)


def test_a_chosen_token_shows_what_mattered(visit, address):
    view = neurons(visit(address))
    view.get_by_label("Text", exact=True).fill(TEXT)
    button(view, "Read").click()
    text = view.locator(".tinted-text .tinted")
    text.get_by_text("x", exact=True).first.wait_for()
    text.focus()
    for _ in range(7):
        text.press("ArrowDown")
    strip = view.locator(".strip")
    strip.wait_for()
    assert strip.inner_text() == TEXT.replace(",", "")[9:70]
    assert len(re.findall(r"[+−]\d", view.locator(".connections .detail").inner_text())) == 5


def test_leaving_out_a_token_is_reading_the_text_without_it(visit, address):
    result = visit(address).evaluate(
        """async () => {
            const model = await charrnn.openEmbedded(), ids = [5, 3, 8, 1, 7, 2], index = 5;
            const after = (some) => some.reduce((state, id) => model.read(state, id), model.start());
            const bits = (some) => charrnn.surprisal(after(some).logits, ids[index]);
            const stateBefore = (place) => after(ids.slice(0, place));
            const found = await charrnn.connections(model, {ids, index, stateBefore});
            const without = ids.slice(0, index).map((_, k) => bits(ids.slice(0, index).filter((id, n) => n !== k)));
            return {found: found.changes, expected: without.map((value) => value - bits(ids.slice(0, index)))};
        }"""
    )
    assert result["found"] == pytest.approx(result["expected"], abs=1e-9)


@pytest.mark.parametrize("options", [{"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}, {}])
def test_the_views_with_results_have_no_serious_barrier(visit, address, options):
    page = visit(address, **options)
    score(page, TEXT).locator(".places button").first.click()
    assert axe_violations(page) == []
    view = neurons(page)
    view.locator(".tinted-text .tinted span").nth(20).click()
    view.locator(".strip").wait_for()
    written(view)
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("options", [{"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}, {}])
def test_the_report_shows_its_analysis(visit, tmp_path, options):
    path = tmp_path / "report.html"
    path.write_text(report_page(json.loads(json.dumps(ANALYSIS))), "utf-8")
    page = visit(path.as_uri(), ready=".tinted span", **options)
    page.locator(".tinted span").nth(1).click()
    assert "12.0 bits" in page.locator(".detail").last.inner_text()
    button(page, "surprise").click()
    assert page.locator(".tinted .surprise-5").count() == 1
    assert axe_violations(page) == []
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
