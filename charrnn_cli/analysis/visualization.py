"""What a model did with a text: which cells track what, how surprising each token was, and which it confused."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.analysis.addresses import CellAddress
from charrnn_cli.analysis.agreement import MEASURES
from charrnn_cli.analysis.cell_view import CellView, view_cell
from charrnn_cli.analysis.confusions import confusions, shown
from charrnn_cli.analysis.findings import Finding, LeftOut, find_cells
from charrnn_cli.analysis.passages import lively_passage
from charrnn_cli.analysis.study import Study
from charrnn_cli.errors import TextError
from charrnn_cli.runs.found_cells import save_cells
from charrnn_cli.wording import network_shape

PASSAGE_TOKENS = 3000


@dataclass(frozen=True)
class Visualization:
    """A study, and what was found in its cells."""

    study: Study
    findings: list[Finding]  # the best first
    left_out: list[LeftOut]
    seconds: float  # that the search took

    @cached_property
    def found(self) -> list[Finding]:
        """The findings that beat their control clearly."""
        return [finding for finding in self.findings if finding.is_clear]

    @property
    def half(self) -> int:
        """The number of tokens on which cells were chosen."""
        return len(self.study.text.ids) // 2

    def cell_records(self) -> list[dict[str, Any]]:
        """The found cells, for cells.json and for pages."""
        return [finding.cell_record() for finding in self.found]

    def address_of(self, hypothesis: str) -> CellAddress:
        """The cell that tracks a hypothesis, by its name. Raises TextError if none was found."""
        for finding in self.findings:
            if finding.hypothesis.name == hypothesis:
                if finding.is_clear:
                    return finding.address
                raise TextError(
                    f"no cell of {self.study.model.run.name} tracks {hypothesis!r} clearly in this text. To see the "
                    f"best one, pass `cell={finding.address}`."
                )
        reason = next(one.reason for one in self.left_out if one.hypothesis.name == hypothesis)
        raise TextError(f"{hypothesis!r} cannot be tested: it is {reason}. Name another text, or a cell by its place.")

    def best_views(self, most: int = 4, length: int = 380) -> list[CellView]:
        """The best of the found cells, each on its own passage. Raises TextError if none was found."""
        if not self.found:
            raise TextError("no cell was found that tracks anything clearly. Pass the place of one as `cell=1:1`.")
        return [
            view_cell(self.study, finding.address, finding.hypothesis.name, length) for finding in self.found[:most]
        ]

    def save(self) -> None:
        """Writes cells.json in the folder of the model. Raises DiskError."""
        model = self.study.model
        save_cells(model.run.cells, self.cell_records(), model.stored.checksum, len(self.study.text.ids))

    def record(self) -> dict[str, Any]:
        """Everything as a JSON object."""
        study, grid = self.study, self.study.grid
        reading, vocabulary = study.reading, study.model.vocabulary
        return {
            "model": model_record(study),
            "text": self._text_record(),
            **{"states": list(grid.states), "layers": grid.layers, "units": grid.units, "half": self.half},
            "margin": {name: measure.margin for name, measure in MEASURES.items()},
            "hypotheses": [finding.record() for finding in self.findings],
            "left_out": [one.record() for one in self.left_out],
            "cells": self.cell_records(),
            "passage": self._passage_record(),
            "confused": [one.record() for one in confusions(study.text.ids, reading.predicted, vocabulary)],
            "seconds": {"reading": round(study.seconds, 2), "analysis": round(self.seconds, 2)},
        }

    def _text_record(self) -> dict[str, Any]:
        text, reading = self.study.text, self.study.reading
        bits, characters = float(reading.bits.sum(dtype=np.float64)), sum(map(len, text.pieces))
        return {
            **{"name": text.name, "tokens": len(text.ids), "characters": characters},
            "bits_per_token": round(bits / len(text.ids), 4),
            "bits_per_character": round(bits / max(characters, 1), 4),
            "accuracy": round(float((reading.predicted == text.ids).mean()), 4),
        }

    def _passage_record(self) -> dict[str, Any]:
        text, reading, vocabulary = self.study.text, self.study.reading, self.study.model.vocabulary
        truths = [finding.truth for finding in self.found]
        changing = [finding.truth for finding in self.found if not finding.hypothesis.numeric]
        part = lively_passage(changing, text.pieces, self.half, PASSAGE_TOKENS)
        cells = [self.study.grid.index(finding.address) for finding in self.found]
        return {
            "start": part.start,
            "tokens": text.pieces[part],
            "bits": decimals(reading.bits[part]),
            "predicted": [shown(vocabulary, token) for token in reading.predicted[part].tolist()],
            "values": [decimals(reading.cells[cell, part]) for cell in cells],
            "truth": [decimals(truth[part]) for truth in truths],
        }


def visualize(study: Study) -> Visualization:
    """Searches the cells of a study."""
    started = time.perf_counter()
    findings, left_out = find_cells(study.reading.cells, study.grid, study.text.pieces, study.model.vocabulary.level)
    return Visualization(study, findings, left_out, time.perf_counter() - started)


def model_record(study: Study) -> dict[str, Any]:
    """The model as a JSON object."""
    model = study.model
    return {
        "name": model.run.name,
        "level": model.vocabulary.level,
        "network": network_shape(model.stored.settings),
        "sha256": model.stored.checksum,
    }


def decimals(numbers: NDArray[np.floating[Any]]) -> list[float]:
    """Numbers with three decimals."""
    return [round(number, 3) for number in numbers.astype(np.float64).tolist()]
