"""Loads a model, reads the prime, yields text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.checkpoint import SCALE, Checkpoint, Config, Summary, checkpoints, load_summary, load_tensors
from charrnn_cli.config import ModelSettings, SamplingSettings, Unknown
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.sampling import draw, filters
from charrnn_cli.runs import Run
from charrnn_cli.text.tokenizer import line_end, tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.text.words import is_gap

State = TypeVar("State")
BROKEN = "the model's weights are broken: its logits are no numbers. Is its file damaged?"


class Engine(Protocol[State]):
    """What computes the network."""

    def start(self, streams: int) -> State:
        """The state before any token."""

    def step(self, ids: NDArray[np.integer], state: State) -> tuple[NDArray[np.float32], State]:
        """Ids (B,), state to logits of the next token (B, V), state."""


@dataclass(frozen=True)
class Model:
    """A trained model in memory."""

    settings: ModelSettings
    vocabulary: Vocabulary
    weights: Mapping[str, NDArray[Any]]
    summary: Summary


def load_model(run: Run, step: int | None = None) -> Model:
    """The best weights of a run or model, or those of the checkpoint at `step`. Raises RunError."""
    path = run.weights if step is None else _checkpoint(run, step).weights
    model = Model(
        Config.load(run.config).model, Vocabulary.load(run.vocabulary), load_tensors(path), load_summary(path)
    )
    _check(model, path)
    return model


def generate(
    engine: Engine[Any],
    vocabulary: Vocabulary,
    prime: list[int],
    settings: SamplingSettings,
    random: np.random.Generator,
) -> Iterator[str]:
    """The prime and the text after it, in pieces as it is made; `prime` are ids, as `read_prime` gives them.

    The same numbers from `random` give the same text on every engine. Raises RunError where the weights are broken.
    """
    never = () if vocabulary.unknown is None or settings.allow_unknown else (vocabulary.unknown,)
    row = filters(settings, never)
    joiner = tokenizer_of(vocabulary).joiner()
    yield "".join(joiner.add(token) for token in vocabulary.decode(prime))
    state = engine.start(1)
    for id in prime or [_first(vocabulary)]:
        logits, state = engine.step(np.array([id]), state)  # (1, V)
    for left in range(settings.length, 0, -1):
        last = logits[0]
        if not np.isfinite(last).all():
            raise RunError(BROKEN)
        for filter in row:
            last = filter(last)
        id = draw(last, settings.temperature, random)
        yield joiner.add(vocabulary.tokens[id])
        if left > 1:
            logits, state = engine.step(np.array([id]), state)
    yield joiner.end()


def read_prime(text: str, vocabulary: Vocabulary, unknown: Unknown = "error") -> list[int]:
    """The ids of a prime. Raises UsageError that names what the vocabulary lacks, unless that is skipped.

    At level "word" its last word is whole, and spaces after it belong to what will be written.
    """
    if vocabulary.level != "byte":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    tokens = tokenizer_of(vocabulary).split(text, unfinished=True)
    if vocabulary.level == "word":  # unusual spaces that the model does not know are the usual ones to it
        tokens = [token for token in tokens if token in vocabulary.ids or not is_gap(token)]
    lacks = vocabulary.lacks(tokens)
    if lacks and unknown == "error":
        shown = ", ".join(f"{tokens[at]!r} at position {at + 1}" for at in lacks[:5])
        more = f" and {len(lacks) - 5} more" if len(lacks) > 5 else ""
        raise UsageError(
            f"the prime has what the model has never seen: {shown}{more}. Write it otherwise, or leave it out: "
            "--unknown skip"
        )
    return vocabulary.encode(token for token in tokens if token in vocabulary.ids)


def _first(vocabulary: Vocabulary) -> int:
    """What stands before a text that has no prime: a line break, where the model knows one."""
    return vocabulary.ids.get(line_end(vocabulary), len(vocabulary) - 1)


def _checkpoint(run: Run, step: int) -> Checkpoint:
    found = checkpoints(run)
    for checkpoint in found:
        if checkpoint.step == step:
            return checkpoint
    have = ", ".join(str(checkpoint.step) for checkpoint in found) or "none"
    raise UsageError(f"--checkpoint {step}: {run.name} has the checkpoints {have} (charrnn info {run.quoted}).")


def _check(model: Model, path: Path) -> None:
    """Raises RunError where the weights are not those of the settings and the vocabulary."""
    V, E, H = len(model.vocabulary), model.settings.embedding, model.settings.hidden
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[model.settings.cell]
    shapes: dict[str, tuple[int, ...]] = {"head.bias": (V,)}
    if not model.settings.tie_weights:
        shapes["head.weight"] = (V, H)
    if E:
        shapes["embedding.weight"] = (V, E)
    for k in range(model.settings.layers):
        inputs = H if k else E or V
        shapes[f"rnn.weight_ih_l{k}"], shapes[f"rnn.weight_hh_l{k}"] = (gates * H, inputs), (gates * H, H)
        shapes[f"rnn.bias_ih_l{k}"] = shapes[f"rnn.bias_hh_l{k}"] = (gates * H,)
    if model.settings.layer_norm:
        sizes = {k: H if k else E for k in range(model.settings.layers + 1) if k or E}
        shapes |= {f"rnn.norm_{what}_l{k}": (size,) for k, size in sizes.items() for what in ("weight", "bias")}
    if SCALE in model.weights:
        shapes[SCALE] = (1,)
    for name, shape in shapes.items():
        found = model.weights[name].shape if name in model.weights else "not there"
        if found != shape:
            raise RunError(f"{path} does not fit its config.json and vocabulary.json: {name} is {found}, not {shape}.")
