"""What tests of HTML pages in a real browser need."""

import importlib
import os
import shutil

import pytest
import torch

from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import Vocabulary

CHARS = Vocabulary("char", tuple("\n abcdefghijklmnoprstuwx.'\""))


def program(name, *commands):
    """The path of a program; without it, the test is skipped or, if browsers are required, fails."""
    path = next((path for command in commands if (path := shutil.which(command))), None)
    if path is None:
        report = pytest.fail if is_required() else pytest.skip
        report(f"{name} is not installed")
    return path


def is_required():
    return os.environ.get("CHARRNN_REQUIRE_BROWSER") == "1"


def package(name):
    """A Python package, as `program`."""
    return importlib.import_module(name) if is_required() else pytest.importorskip(name)


def tiny_model(vocabulary=CHARS):
    """A model with random weights, which are large, so that it prefers some tokens clearly."""
    torch.manual_seed(0)
    settings = ModelSettings(hidden=16, layers=1, embedding=0)
    weights = {name: array * 4 for name, array in get_weights(LanguageModel(settings, len(vocabulary))).items()}
    return StoredModel(settings, vocabulary, weights, Summary(1, 1, 1, None, None, ""), PrepareSettings())


def button(place, name):
    return place.get_by_role("button", name=name, exact=True)


def axe_violations(page):
    """The serious violations. Playwright runs axe beside the policy of the page."""
    axe = package("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


def is_foreign(url, address):
    return url.split("#")[0] != address.split("#")[0] and not url.startswith(("data:", "blob:"))
