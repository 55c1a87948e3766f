import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation import onnx_files as module
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.onnx_cells import ONNX_STEPS
from charrnn_cli.generation.onnx_files import onnx_files
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.texts import random_numbers
from charrnn_cli.network.cells import CELLS
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import EOD, Vocabulary

MARKS = {"||Comma||": ",", "||Return||": "\n"}
VOCABULARIES = {
    "char": Vocabulary("char", ("\n", " ", "a", "b", "é", "\ud800", "<unk>"), unknown=6),
    "byte": Vocabulary("byte", ("0a", "20", "61", "62", "c3", "a9")),
    "word": Vocabulary("word", ("<unk>", "a", "b", "bé", EOD, *MARKS), 0, marks=MARKS, end=4),
}
SHAPES = {"char": {}, "byte": {"embedding": 0, "layer_norm": True}, "word": {"embedding": 16, "tie_weights": True}}


def stored_model(level: str = "char", cell: str = "lstm", **shape) -> StoredModel:
    """A model with rather confident predictions."""
    torch.manual_seed(0)
    settings = ModelSettings(cell, **{"hidden": 16, "layers": 2, "embedding": 8, **shape})
    vocabulary = VOCABULARIES[level]
    weights = {name: 2 * array for name, array in get_weights(LanguageModel(settings, len(vocabulary))).items()}
    if vocabulary.end is not None:
        weights["head.bias"][vocabulary.end] -= 3  # documents have some tokens
    return StoredModel(settings, vocabulary, weights, Summary(1, 1, 1, None, None, ""), PrepareSettings())


class Program:
    """What a program without charrnn does with the two files."""

    def __init__(self, stored: StoredModel) -> None:
        self.step, self.loop = (onnxruntime.InferenceSession(file) for file in onnx_files(stored))

    def states(self, texts: int) -> dict[str, np.ndarray]:
        return {one.name: np.zeros((texts, one.shape[1]), np.float32) for one in self.step.get_inputs()[1:]}

    def read(self, ids, states):
        """Reads ids (B,): logits (B, V) and states."""
        logits, *new = self.step.run(None, {"ids": np.asarray(ids), **states})
        return logits, dict(zip(states, new, strict=True))

    def draw(self, ids, states, uniforms, bias, **filters):
        """Draws tokens (B, T), and the states after all of them but the last."""
        values = {"temperature": 0.8, "top_n": 0, "top_p": 0.9, "min_p": 0.0} | filters
        feeds = {name: np.array([value], np.int64 if name == "top_n" else np.float32) for name, value in values.items()}
        feeds |= {"uniforms": uniforms.astype(np.float32), "bias": bias.astype(np.float32)}
        drawn, *new = self.loop.run(None, {"ids": np.asarray(ids), **states, **feeds})
        return drawn, dict(zip(states, new, strict=True))


@pytest.mark.parametrize("level", VOCABULARIES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_program_predicts_and_writes_the_same_as_the_engine(cell, level):
    stored = stored_model(level, cell, **SHAPES[level])
    model, program = Model(Run(Path("fox")), stored, "onnx"), Program(stored)
    engine, states, V = model.engine, program.states(2), len(stored.vocabulary)
    state = engine.start(2)
    for ids in np.random.default_rng(0).integers(V, size=(10, 2)):
        logits, states = program.read(ids, states)
        expected, state = engine.step(ids, state)
        np.testing.assert_array_equal(logits, expected)

    text = "a, b" if level == "word" else "a b"
    prime, *others = model.encode(text).ids
    states = program.states(1)
    for id in others:
        _, states = program.read([prime], states)
        prime = id
    drawn, _ = program.draw([prime], states, random_numbers(5, 0).random((1, 40)), np.zeros(V))
    assert written(stored, drawn) == [score.token for score in model.generate(text, seed=5, length=40).scores]


def written(stored: StoredModel, drawn: np.ndarray) -> list[str]:
    """The tokens of a text, up to the end of the document."""
    tokens = stored.vocabulary.decode(drawn[0].tolist())
    return tokens[: tokens.index(EOD) + 1] if EOD in tokens else tokens


FILTERS = [{"temperature": 0.0}, {"top_n": 3, "top_p": 1.0}, {"min_p": 0.3, "top_p": 1.0, "temperature": 1.5}]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_the_filters_are_those_of_sample(filters):
    stored = stored_model()
    model, program = Model(Run(Path("fox")), stored, "onnx"), Program(stored)
    bias = np.zeros(len(stored.vocabulary))
    bias[3] = -np.inf
    first = [first_token(stored.vocabulary)]
    drawn, _ = program.draw(first, program.states(1), random_numbers(1, 0).random((1, 60)), bias, **filters)
    text = model.generate("", seed=1, length=60, ban=["b"], **filters)
    assert written(stored, drawn) == [score.token for score in text.scores]


def test_a_text_is_the_same_in_one_call_or_several_and_beside_others():
    stored = stored_model()
    program, bias = Program(stored), np.zeros(len(stored.vocabulary))
    uniforms = np.random.default_rng(0).random((3, 30))
    whole, _ = program.draw([1, 2, 3], program.states(3), uniforms, bias)
    ids, states, parts = [2], program.states(1), []
    for start in (0, 1, 20):
        end = {0: 1, 1: 20, 20: 30}[start]
        drawn, states = program.draw(ids, states, uniforms[1:2, start:end], bias)
        ids = drawn[:, -1]
        parts.append(drawn)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole[1:2])
    assert (whole != stored.vocabulary.unknown).all()
    assert ((whole >= 0) & (whole < len(bias))).all()


@pytest.mark.parametrize("level", VOCABULARIES)
def test_a_file_says_what_is_in_it(folder, level):
    stored = stored_model(level)
    stored.vocabulary.save(folder / "vocabulary.json")
    saved = json.loads((folder / "vocabulary.json").read_bytes().decode("utf-8", "surrogatepass"))
    for content in onnx_files(stored):
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
        metadata = {one.key: one.value for one in model.metadata_props}
        assert metadata["level"] == level
        assert json.loads(metadata["vocabulary"]) == saved
        assert json.loads(metadata["settings"]) == asdict(stored.settings)
        assert json.loads(metadata["first"]) == first_token(stored.vocabulary)
        assert all(value.doc_string for value in (*model.graph.input, *model.graph.output))


def test_a_cell_without_a_step_and_a_model_that_is_too_large_are_refused(monkeypatch):
    stored = stored_model(cell="gru")
    monkeypatch.setattr(module, "LARGEST_FILE", 1000)
    with pytest.raises(UsageError, match="and ONNX allows 1,000"):
        onnx_files(stored)
    monkeypatch.delitem(ONNX_STEPS, "gru")
    with pytest.raises(UsageError, match="`onnx` cannot export the cell 'gru', only lstm, rnn"):
        onnx_files(stored)
