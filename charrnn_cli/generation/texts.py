"""Texts that an engine writes side by side, from their prime to their end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.engine import Engine, Sampler
from charrnn_cli.generation.sampling import allowed_tokens
from charrnn_cli.generation.state import State
from charrnn_cli.generation.writer import Ending, Writer
from charrnn_cli.text.vocabulary import Vocabulary

RANDOMS_AHEAD = 256  # random numbers that are drawn for a text at once


class Piece(NamedTuple):
    """A piece that is added to one of the texts."""

    sample: int  # number of the text, from 0
    text: str  # of the piece
    log_probability: float = float("nan")  # of its token, in nats; NaN if not scored
    prime: bool = False  # whether this is the prime

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Sample:
    """The end of one of the texts."""

    sample: int
    ending: Ending
    tokens: int  # after the prime
    log_probability: float  # of those tokens, in nats; NaN if not scored
    scores: tuple[tuple[str, float], ...] = ()  # those tokens and their log-probabilities; empty if not scored


def write_texts(
    engine: Engine[Any],
    vocabulary: Vocabulary,
    state: State,
    settings: SamplingSettings,
    seed: int,
    samples: int = 1,
    scored: bool = False,
    prime: str = "",
    first: int = 0,
) -> Iterator[Piece | Sample]:
    """Writes texts `first` to `samples` - 1 after a state: yields pieces of each, and a `Sample` at the end of each.

    The first piece of each text is `prime`, the text that was read. Every text has its own random numbers, which depend
    only on the seed and the number of the text. Raises UsageError if no token may be drawn, RunError if the weights are
    corrupt.
    """
    sampler = Sampler(settings, allowed_tokens(settings, vocabulary), scored)
    start = 0
    for size in engine.groups(samples):
        group, start = range(start, start + size), start + size
        numbers = range(max(group.start, first), min(group.stop, samples))  # may be fewer than the streams of the group
        if not numbers:
            continue
        writers = {number: Writer(vocabulary, settings, state.recent) for number in numbers}
        for number, writer in writers.items():
            yield Piece(number, prime, prime=True)
            if writer.ending:
                yield Sample(number, writer.ending, 0, 0.0)
        randoms = {number: random_numbers(seed, number) for number in group}
        yield from _write_group(engine, state, sampler, writers, randoms)


def in_order(events: Iterable[Piece | Sample], first: int = 0) -> Iterator[Piece | Sample]:
    """The events of text `first`, then those of the next, and so on, each as early as this order allows."""
    waiting: dict[int, list[Piece | Sample]] = {}
    current = first
    for event in events:
        waiting.setdefault(event.sample, []).append(event)
        while ready := waiting.pop(current, []):
            yield from ready
            if isinstance(ready[-1], Sample):
                current += 1


def likeliest(events: Iterable[Piece | Sample], count: int) -> Iterator[Piece | Sample]:
    """The events of the `count` texts with the highest mean log-probability per token, the likeliest text first."""
    samples: dict[int, list[Piece | Sample]] = {}
    means: dict[int, float] = {}
    for event in events:
        samples.setdefault(event.sample, []).append(event)
        if isinstance(event, Sample):
            means[event.sample] = event.log_probability / max(event.tokens, 1)
    for number in sorted(means, key=lambda number: (-means[number], number))[:count]:
        yield from samples[number]


def _write_group(
    engine: Engine[Any],
    before: State,
    sampler: Sampler,
    writers: dict[int, Writer],
    randoms: dict[int, np.random.Generator],
) -> Iterator[Piece | Sample]:
    """Writes a group of B texts, T tokens at a time. `randoms` has all numbers of the group, `writers` those needed."""
    writing = {number: writer for number, writer in writers.items() if not writer.ending}
    first, B = min(randoms), len(randoms)
    T = engine.tokens_at_once(B)
    W = sampler.settings.repetition_window if sampler.settings.repetition_penalty != 1 else 0
    state = engine.repeat(engine.from_array(before.hidden[None]), B)
    ids = np.full(B, before.last)  # (B,)
    context = before.recent or (before.last,)
    recent = last_tokens(np.array([context[-W:] if W else ()], np.int64), W).repeat(B, axis=0)  # (B, W)
    uniforms = np.empty((B, 0))  # (B, random numbers that are left)
    while writing:
        if uniforms.shape[1] < T:
            uniforms = np.stack([random.random(RANDOMS_AHEAD) for random in randoms.values()])
        block = engine.write(ids, state, recent, uniforms[:, :T], sampler)
        uniforms, state, ids = uniforms[:, T:], block.state, block.ids[:, -1]
        if W:
            recent = last_tokens(np.concatenate([recent, block.ids], axis=1), W)
        tokens = block.ids.tolist()
        scores = None if block.scores is None else block.scores.tolist()
        for number, writer in list(writing.items()):
            row = number - first
            for part in writer.add(tokens[row], scores and scores[row]):
                yield Piece(number, part.text, part.log_probability)
            if writer.ending:
                del writing[number]
                yield Sample(number, writer.ending, writer.tokens, writer.log_probability, tuple(writer.scores))


def random_numbers(seed: int, sample: int) -> np.random.Generator:
    """The random numbers of one text."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(sample,))))


def last_tokens(ids: NDArray[Any], window: int) -> NDArray[Any]:
    """The last tokens of each text (B, window); -1 if it has fewer."""
    kept = ids[:, max(0, ids.shape[1] - window) :]
    return np.pad(kept, ((0, 0), (window - kept.shape[1], 0)), constant_values=-1)
