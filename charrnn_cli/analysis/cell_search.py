"""Finds the cell that agrees best with a hypothesis, and says how well, beside what chance reaches.

The best of many cells looks good by chance. So a cell is chosen on the first half of a text and scored on the second.
A control does the same for the hypothesis shifted along the text: it is true as often and in the same runs, but says
nothing about the place where it stands. Sizes: C cells, N tokens, K hypotheses of one measure with their controls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.analysis.agreement import MEASURES, Agreement, Cells, Truths

SHIFTS = 5  # controls of each hypothesis
CELLS_AT_ONCE = 128


@dataclass(frozen=True)
class Match:
    """The cell that was chosen for a hypothesis or a control, and how well it agrees."""

    cell: int
    sign: int  # -1: the cell is low where the truth is high
    chosen_score: float  # on the first half, where the cell was chosen
    score: float  # on the second half


@dataclass(frozen=True)
class Candidate:
    """The best cell for a hypothesis, beside its controls."""

    match: Match
    controls: Sequence[Match]

    @property
    def control(self) -> float:
        """The highest score of a control on the second half."""
        return max(match.score for match in self.controls)

    @property
    def chosen_control(self) -> float:
        """The highest score of a control on the first half: what the best of all cells reaches by chance."""
        return max(match.chosen_score for match in self.controls)


def search(cells: Cells, truths: Sequence[NDArray[np.float32]], measures: Sequence[str]) -> list[Candidate]:
    """The best of the cells (C, N) for each hypothesis, given its truth (N,) and the name of its measure."""
    half = cells.shape[1] // 2
    found: dict[int, Candidate] = {}
    for name, agreement in MEASURES.items():
        places = [place for place, own in enumerate(measures) if own == name]
        if places:
            rows = np.concatenate([with_controls(truths[place], half) for place in places])  # (K, N)
            matches = best_matches(cells, rows, half, agreement)
            for place, start in zip(places, range(0, len(matches), SHIFTS + 1), strict=True):
                found[place] = Candidate(matches[start], matches[start + 1 : start + 1 + SHIFTS])
    return [found[place] for place in range(len(truths))]


def with_controls(truth: NDArray[np.float32], half: int) -> Truths:
    """A truth (N,), and its controls (1 + SHIFTS, N): each half is shifted in a circle by a part of its length."""
    halves, parts = (truth[:half], truth[half:]), SHIFTS + 1
    return np.stack(
        [np.concatenate([np.roll(own, part * len(own) // parts) for own in halves]) for part in range(parts)]
    )


def best_matches(cells: Cells, truths: Truths, half: int, agreement: Agreement) -> list[Match]:
    """For each of the truths (K, N) the cell that agrees best with it on the first half."""
    first = truths[:, :half]
    blocks = range(0, len(cells), CELLS_AT_ONCE)
    signed = np.concatenate([agreement.signed(cells[k : k + CELLS_AT_ONCE, :half], first) for k in blocks])  # (C, K)
    matches = []
    for k, cell in enumerate(np.abs(signed).argmax(0).tolist()):
        scores = agreement.scores(cells[cell : cell + 1], truths[k : k + 1], half)
        matches.append(Match(cell, -1 if signed[cell, k] < 0 else 1, *scores))
    return matches
