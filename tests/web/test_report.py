import json
import re

from charrnn_cli.web.report import report_page

HOSTILE = "</script><script>window.hacked=1</script>\u202e"
CELL = {"title": "inside quotes", "state": "c", "layer": 0, "cell": 3, "measure": "AUC", "score": 0.97, "control": 0.55}
ANALYSIS = {
    "model": {"name": HOSTILE, "level": "char", "network": "LSTM 1 x 8", "sha256": "0"},
    "text": {
        **{"name": HOSTILE, "tokens": 4, "characters": 4},
        **{"bits_per_token": 1.5, "bits_per_character": 1.5, "accuracy": 0.25},
    },
    **{"states": ["h", "c"], "layers": 1, "units": 8, "half": 2},
    "hypotheses": [{**CELL, "found": True}],
    "left_out": [{"name": "digits", "title": "digits", "reason": "too rare in this text"}],
    "cells": [{**CELL, "low": -0.9, "high": 0.95, "scale": 1.0}],
    "passage": {
        **{"start": 2, "tokens": ['"', HOSTILE, "\n", '"'], "bits": [0.1, 12.0, 3.0, 0.5]},
        **{"predicted": ["a", "b", " ", '"'], "values": [[0.9, 0.5, -0.2, -0.9]], "truth": [[1, 1, 0, 0]]},
    },
    "confused": [{"true": "\n", "predicted": " ", "count": 5, "share": 0.2}],
}


def test_a_report_contains_its_analysis_and_no_model():
    page = report_page(ANALYSIS)
    (stored,) = re.findall('<script type="application/json" id="analysis">(.*?)</script>', page, re.S)
    assert json.loads(stored) == ANALYSIS
    assert "model-weights" not in page
    assert len(page.encode()) < 100_000


def test_names_and_texts_of_a_report_stay_text():
    page = report_page(ANALYSIS)
    assert "<script>window" not in page
    assert "\u202e" not in re.findall("<script.*?</script>", page, re.S)[0]
