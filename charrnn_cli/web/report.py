"""The report of a visualization: one HTML file that shows what was found, without the model."""

from collections.abc import Mapping
from typing import Any

from charrnn_cli.web.html_page import REPORT_SCRIPT, filled_page, html_json

REPORT_SCRIPTS = ("elements.js", "tinted-text.js", REPORT_SCRIPT)  # in this order


def report_page(analysis: Mapping[str, Any]) -> str:
    """The report of the record of a visualization."""
    data = f'<script type="application/json" id="analysis">{html_json(analysis)}</script>'
    return filled_page("report.html", analysis["model"]["name"], data, REPORT_SCRIPTS)
