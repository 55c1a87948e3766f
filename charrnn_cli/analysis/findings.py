"""Tests the hypotheses on a text that was read: which cell tracks each best, and whether it does so clearly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.analysis.addresses import CellAddress, CellGrid
from charrnn_cli.analysis.agreement import MEASURES, Cells
from charrnn_cli.analysis.cell_search import Candidate, search
from charrnn_cli.analysis.hypotheses import HYPOTHESES, Hypothesis
from charrnn_cli.config import Level

FEWEST_CHANGES = 40  # of a hypothesis in each half of a text, to test it there
SCALE_QUANTILE = 0.99  # of the size of a cell's values: the strongest tint


@dataclass(frozen=True)
class Finding:
    """A hypothesis, and the cell that tracks it best."""

    hypothesis: Hypothesis
    truth: NDArray[np.float32]  # (N,) at each token
    candidate: Candidate
    address: CellAddress
    low: float  # the median of the cell where the hypothesis is false, or its number in the lowest quarter
    high: float  # the same where it is true, or in the highest quarter
    scale: float

    @property
    def is_clear(self) -> bool:
        """Whether the cell beats its control clearly."""
        return self.candidate.match.score - self.candidate.control >= MEASURES[measure_of(self.hypothesis)].margin

    def cell_record(self) -> dict[str, Any]:
        """The cell as cells.json and a page have it."""
        match, hypothesis = self.candidate.match, self.hypothesis
        return {
            **{"name": hypothesis.name, "title": hypothesis.title, "measure": measure_of(hypothesis)},
            **{"state": self.address.state, "layer": self.address.layer, "cell": self.address.cell, "sign": match.sign},
            **{"score": _rounded(match.score), "control": _rounded(self.candidate.control)},
            **{"low": _rounded(self.low), "high": _rounded(self.high), "scale": _rounded(self.scale)},
        }

    def record(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        mean, numeric = _rounded(float(self.truth.mean())), self.hypothesis.numeric
        return {
            **self.cell_record(),
            **{"found": self.is_clear, "share": None if numeric else mean, "mean": mean if numeric else None},
            "chosen_score": _rounded(self.candidate.match.chosen_score),
            "chosen_control": _rounded(self.candidate.chosen_control),
        }


@dataclass(frozen=True)
class LeftOut:
    """A hypothesis that was not tested."""

    hypothesis: Hypothesis
    reason: str

    def record(self) -> dict[str, str]:
        """The reason as a JSON object."""
        return {"name": self.hypothesis.name, "title": self.hypothesis.title, "reason": self.reason}


def find_cells(
    cells: Cells, grid: CellGrid, pieces: Sequence[str], level: Level
) -> tuple[list[Finding], list[LeftOut]]:
    """Tests every hypothesis on the cells (C, N) after N tokens, which added `pieces` to the text: the best first."""
    half = len(pieces) // 2
    tested: list[tuple[Hypothesis, NDArray[np.float32]]] = []
    left_out = []
    for hypothesis in HYPOTHESES:
        truth = token_truth(hypothesis, pieces)
        reason = why_not(hypothesis, truth, half, level)
        if reason is None:
            tested.append((hypothesis, truth))
        else:
            left_out.append(LeftOut(hypothesis, reason))
    candidates = search(cells, [truth for _, truth in tested], [measure_of(hypothesis) for hypothesis, _ in tested])
    findings = [
        _finding(hypothesis, truth, candidate, cells, grid)
        for (hypothesis, truth), candidate in zip(tested, candidates, strict=True)
    ]
    return sorted(findings, key=lambda one: (not one.is_clear, -one.candidate.match.score)), left_out


def measure_of(hypothesis: Hypothesis) -> str:
    return "R squared" if hypothesis.numeric else "AUC"


def token_truth(hypothesis: Hypothesis, pieces: Sequence[str]) -> NDArray[np.float32]:
    """A hypothesis after each of N tokens (N,), which is what it is after the token's last character."""
    text = "".join(pieces)
    if not text:
        return np.zeros(len(pieces), np.float32)
    ends = np.cumsum([len(piece) for piece in pieces]) - 1
    truth: NDArray[np.float32] = hypothesis.measure(text)[ends.clip(0)]
    return truth


def why_not(hypothesis: Hypothesis, truth: NDArray[np.float32], half: int, level: Level) -> str | None:
    """Why a hypothesis cannot be tested on a text; None if it can."""
    if level == "word" and not hypothesis.for_words:
        return "makes no sense for words"
    if not np.ptp(truth):
        return "the same everywhere in this text"
    changes = [np.count_nonzero(np.diff(part)) for part in (truth[:half], truth[half:])]
    return "too rare in this text" if min(changes) < FEWEST_CHANGES else None


def scale_of(values: NDArray[np.float16]) -> float:
    """The size of a cell's values that gets the strongest tint."""
    return float(np.quantile(np.abs(values.astype(np.float32)), SCALE_QUANTILE)) or 1.0


def _finding(
    hypothesis: Hypothesis, truth: NDArray[np.float32], candidate: Candidate, cells: Cells, grid: CellGrid
) -> Finding:
    values = cells[candidate.match.cell]
    lowest, highest = np.quantile(truth, (0.25, 0.75)) if hypothesis.numeric else (0, 1)
    low, high = (float(np.median(values[chosen])) for chosen in (truth <= lowest, truth >= highest))
    return Finding(hypothesis, truth, candidate, grid.address(candidate.match.cell), low, high, scale_of(values))


def _rounded(number: float) -> float:
    return round(number, 4)
