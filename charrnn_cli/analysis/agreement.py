"""How well a cell agrees with a hypothesis: AUC if it is true or false, R squared if it is a number.

AUC is the probability that the cell is higher at a place where the hypothesis is true than at one where it is false;
0.5 is chance. R squared is the share of the number's variance that a line through the cell's values explains; 0 is
chance, and a line that does not fit is below it. Sizes: C cells, M tokens, K hypotheses.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float16]  # (C, M)
Truths = NDArray[np.float32]  # (K, M) 0 or 1, or numbers


class Agreement(ABC):
    """A measure."""

    margin: ClassVar[float]  # how far above its control a cell must be to count as found

    @abstractmethod
    def signed(self, cells: Cells, truths: Truths) -> NDArray[np.float32]:
        """A number (C, K) that is far from 0 if they agree, and negative if a cell is low where the truth is high."""

    @abstractmethod
    def scores(self, values: Cells, truth: Truths, half: int) -> tuple[float, float]:
        """Of one cell (1, N) and one hypothesis (1, N): on the first `half`, where it was chosen, and on the second."""


class AreaUnderCurve(Agreement):
    """AUC."""

    margin = 0.2

    def signed(self, cells: Cells, truths: Truths) -> NDArray[np.float32]:
        true = truths.sum(1)  # (K,)
        pairs = np.maximum(true * (truths.shape[1] - true), 1)
        areas: NDArray[np.float32] = (centered_ranks(cells) @ truths.T) / pairs  # AUC - 0.5
        return areas

    def scores(self, values: Cells, truth: Truths, half: int) -> tuple[float, float]:
        chosen = self.signed(values[:, :half], truth[:, :half]).item()
        second = self.signed(values[:, half:], truth[:, half:]).item()
        return 0.5 + abs(chosen), 0.5 + (second if chosen >= 0 else -second)


class ExplainedVariance(Agreement):
    """R squared; on the second half, of the line that fits the first."""

    margin = 0.1

    def signed(self, cells: Cells, truths: Truths) -> NDArray[np.float32]:
        x, y = cells.astype(np.float32), truths - truths.mean(1, keepdims=True)
        covariance = (x @ y.T) / x.shape[1]  # (C, K)
        spread = np.outer(_deviation(x), _deviation(y))
        correlations: NDArray[np.float32] = np.zeros_like(covariance)
        np.divide(covariance, spread, out=correlations, where=spread > 0)
        return correlations

    def scores(self, values: Cells, truth: Truths, half: int) -> tuple[float, float]:
        x, y = values[0].astype(np.float64), truth[0].astype(np.float64)
        first_x, first_y = x[:half], y[:half]
        spread = first_x.var()
        slope = ((first_x - first_x.mean()) * (first_y - first_y.mean())).mean() / spread if spread else 0.0
        wrong = (y - first_y.mean() - slope * (x - first_x.mean())) ** 2  # (N,)
        return 1 - float(wrong[:half].mean() / first_y.var()), 1 - float(wrong[half:].mean() / y[half:].var())


def centered_ranks(cells: Cells) -> NDArray[np.float32]:
    """The rank (C, M) of each value in its row, minus the mean rank. Equal values share the mean of their ranks.

    Ranks come from the counts of the different float16 numbers, which is faster than sorting.
    """
    signs = (cells.view(np.int16) >> 15).view(np.uint16)  # all bits of a negative number
    codes = cells.view(np.uint16) ^ (signs | 0x8000)  # in the order of the numbers
    codes -= codes.min()
    ranks = np.empty(cells.shape, np.float32)
    for row, own in zip(ranks, codes, strict=True):
        counts = np.bincount(own)
        middle = np.cumsum(counts) - (counts + len(own)) / 2  # the mean rank of equal numbers, minus that of all
        np.take(middle.astype(np.float32), own, out=row, mode="clip")
    return ranks


def _deviation(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The standard deviation of each row; 0 if it is too small to tell."""
    mean = rows.mean(1)
    variance = np.einsum("ij,ij->i", rows, rows) / rows.shape[1] - mean**2
    return np.sqrt(np.where(variance > 1e-6 * mean**2, variance, 0.0)).astype(np.float32)


MEASURES: dict[str, Agreement] = {"AUC": AreaUnderCurve(), "R squared": ExplainedVariance()}
