import asyncio
import re
from types import SimpleNamespace

import pytest
from fake_engine import ask, run, served
from page_engine import CHARACTERS, random_model

from charrnn_cli.runs.folders import Run
from charrnn_cli.web.html_page import html_page
from charrnn_cli.web.page import ModelPages, help_page
from charrnn_cli.web.safety import LOCAL_NAMES, Access


def model_in(folder):
    return SimpleNamespace(run=Run(folder), stored=random_model(), vocabulary=CHARACTERS, encode=None)


@pytest.fixture
def models(folder):
    return [served("tiny", model_in(folder)), served("<other>", model_in(folder))]


def without_footer(page):
    return re.sub("<p>(Other models|Programs).*</p>", "", page)


def test_the_page_of_the_first_model_is_the_exported_page(models):
    answer = ask("GET", "/", models=models)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert without_footer(answer.body.decode()) == html_page(random_model(), "tiny")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"


def test_each_page_links_to_the_pages_of_the_other_models(models):
    (link,) = re.findall(
        'Other models here: <a href="([^"]*)">&lt;other&gt;</a>', ask("GET", "/", models=models).body.decode()
    )
    other = ask("GET", link, models=models)
    assert without_footer(other.body.decode()) == html_page(random_model(), "<other>")
    assert '<a href="/?model=tiny">tiny</a>' in other.body.decode()
    assert ask("GET", "/?model=third", models=models).json["error"]["code"] == "model_not_found"


def test_a_page_is_made_once(models, monkeypatch):
    made = []
    monkeypatch.setattr(ModelPages, "_make", lambda self, served: made.append(served.name) or b"page")

    async def work():
        pages = ModelPages(models)
        return await asyncio.gather(*(pages.page(one) for one in models * 3))

    assert [response.body for response in run(work())] == [b"page"] * 6
    assert made == ["tiny", "<other>"]


def test_where_a_key_is_needed_the_page_is_the_help_without_names():
    for path in ("/", "/help"):
        answer = ask("GET", path, access=Access(LOCAL_NAMES, key="secret"))
        assert answer.status == 200
        assert b"All requests need a key." in answer.body
        assert b"tiny" not in answer.body


def test_the_help_names_models_address_and_endpoints_and_runs_no_script():
    response = help_page("http://localhost:8000", ["<anna>"], needs_key=False)
    text = response.body.decode()
    assert "&lt;anna&gt;" in text
    assert "<anna>" not in text
    assert "http://localhost:8000/v1/completions" in text
    assert "GET /tokenizer_info" in text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert b"anna" not in help_page("http://localhost:8000", ["anna"], needs_key=True).body
