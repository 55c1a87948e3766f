"""The cells that were found, as a table, with what was not found and what was not tested."""

import textwrap
from collections.abc import Iterable

from charrnn_cli.analysis.findings import Finding
from charrnn_cli.analysis.visualization import Visualization
from charrnn_cli.terminal.tables import fitted
from charrnn_cli.wording import quantity

HEADER = ["name", "what the cell tracks", "cell", "measure", "score", "chance", "low", "high"]
IMPORTANCE = ["name", "cell", "score", "chance", "measure", "what the cell tracks", "low", "high"]


def cells_table(result: Visualization, width: int | None) -> str:
    """What was found, for a terminal of this width."""
    study = result.study
    lines = [f"{study.model.run.name} on {study.text.name}: {facts(result)}", ""]
    if result.found:
        lines += [fitted([HEADER, *map(_row, result.found)], IMPORTANCE, width), ""]
    unclear = [finding for finding in result.findings if not finding.is_clear]
    if unclear:
        lines.append(_filled(f"No cell is clearly better than chance: {_listed(map(_unclear, unclear))}.", width))
    for reason in dict.fromkeys(one.reason for one in result.left_out):
        left_out = [one.hypothesis.name for one in result.left_out if one.reason == reason]
        lines.append(_filled(f"Not tested ({reason}): {_listed(left_out)}.", width))
    return "\n".join(lines)


def facts(result: Visualization) -> str:
    """The text and the network in a few numbers."""
    study = result.study
    cells = len(study.reading.cells)
    return (
        f"{quantity(len(study.text.ids), 'tokens')}, {quantity(cells, 'cells')}, "
        f"{study.reading.bits.mean():.3f} bits per token"
    )


def times(result: Visualization) -> str:
    """How long it took."""
    return f"reading {result.study.seconds:.1f} s, analysis {result.seconds:.1f} s"


def _row(finding: Finding) -> list[str]:
    record = finding.cell_record()
    scores = [f"{record[name]:.3f}" for name in ("score", "control")]
    values = [f"{record[name]:+.2f}" for name in ("low", "high")]
    return [record["name"], record["title"], str(finding.address), record["measure"], *scores, *values]


def _unclear(finding: Finding) -> str:
    match = finding.candidate.match
    return f"{finding.hypothesis.name} ({finding.address}: {match.score:.3f}, chance {finding.candidate.control:.3f})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _filled(text: str, width: int | None) -> str:
    return text if width is None else textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
