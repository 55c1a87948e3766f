"""Texts side by side, from a prime to their end."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.engine import Engine, Sampler
from charrnn_cli.generation.prime import first_token
from charrnn_cli.generation.sampling import allowed_tokens, divergence
from charrnn_cli.generation.writer import Ending, Writer
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

UNIFORMS = 256  # random numbers that a text fetches at once
REMEMBERED = 4096  # tokens at the end of a long prime that are read first
COMPARED = 256  # of those, the last ones, after which two predictions are compared
AGREE = 1e-3  # nats by which they may differ


class Piece(NamedTuple):
    """What one of the texts has grown by."""

    sample: int  # from 0
    text: str
    log_probability: float = float("nan")  # of its token, in nats, where that is asked for
    prime: bool = False  # whether this is the prime


@dataclass(frozen=True)
class Sample:
    """One of the texts, at its end."""

    sample: int
    ending: Ending
    tokens: int  # after the prime
    log_probability: float  # of those, in nats, where that is asked for


def generate(
    engine: Engine[Any],
    vocabulary: Vocabulary,
    prime: list[int],
    settings: SamplingSettings,
    seed: int,
    samples: int = 1,
    scored: bool = False,
    state: Any = None,
) -> Iterator[Piece | Sample]:
    """Yields the prime and the text after it in pieces as they are made, for each of so many samples, then its end.

    `prime` are ids, as `read_prime` gives them; `state` is what `read` gives for all but the last, where it is known.
    Sample k draws from numbers of its own, which the seed and k decide, and is the same whatever the number of
    samples. Raises UsageError where no token may be drawn, RunError where the weights are broken.
    """
    sampler = Sampler(settings, allowed_tokens(settings, vocabulary), scored)
    ids = prime or [first_token(vocabulary)]
    if state is None:
        state = read(engine, ids[:-1])
    joiner = tokenizer_of(vocabulary).joiner()
    text = "".join(map(joiner.add, vocabulary.decode(prime))) + (joiner.end() if settings.length == 0 else "")
    first = 0
    for size in engine.groups(samples):
        wanted = range(first, min(first + size, samples))
        writers = {k: Writer(vocabulary, settings, prime[-REMEMBERED:]) for k in wanted}
        for k, writer in writers.items():
            yield Piece(k, text, prime=True)
            if writer.ending:
                yield Sample(k, writer.ending, 0, 0.0)
        randoms = [_random(seed, k) for k in range(first, first + size)]
        yield from _write(engine, engine.repeat(state, size), ids, sampler, writers, randoms)
        first += size


def in_order(events: Iterable[Piece | Sample]) -> Iterator[Piece | Sample]:
    """One sample after the other; the first that is not whole yet comes as it is made."""
    waiting: dict[int, list[Piece | Sample]] = {}
    now = 0
    for event in events:
        waiting.setdefault(event.sample, []).append(event)
        while events_now := waiting.pop(now, []):
            yield from events_now
            now += isinstance(events_now[-1], Sample)


def likeliest(events: Iterable[Piece | Sample], count: int) -> Iterator[Piece | Sample]:
    """The so many samples whose tokens are likeliest on average, the likeliest first; they have to be scored."""
    samples: dict[int, list[Piece | Sample]] = {}
    means: dict[int, float] = {}
    for event in events:
        samples.setdefault(event.sample, []).append(event)
        if isinstance(event, Sample):
            means[event.sample] = event.log_probability / max(event.tokens, 1)
    for k in sorted(means, key=lambda k: (-means[k], k))[:count]:
        yield from samples[k]


def _write(
    engine: Engine[Any],
    state: Any,
    prime: list[int],
    sampler: Sampler,
    writers: dict[int, Writer],
    randoms: list[np.random.Generator],
) -> Iterator[Piece | Sample]:
    """Writes a group of texts, whose prime is read into `state` but for its last token."""
    writing = {k: writer for k, writer in writers.items() if not writer.ending}
    first, T = min(writers), engine.tokens_at_once(len(randoms))
    W = sampler.settings.repetition_window if sampler.settings.repetition_penalty != 1 else 0
    recent = _last(np.array([prime[-W:] if W else []], np.int64), W).repeat(len(randoms), axis=0)  # (B, W)
    ids = np.full(len(randoms), prime[-1])  # (B,)
    uniforms = np.empty((len(randoms), 0))  # (B, numbers that are left)
    while writing:
        if uniforms.shape[1] < T:
            uniforms = np.stack([random.random(UNIFORMS) for random in randoms])
        block = engine.write(ids, state, recent, uniforms[:, :T], sampler)
        uniforms, state, ids = uniforms[:, T:], block.state, block.ids[:, -1]
        if W:
            recent = _last(np.concatenate([recent, block.ids], axis=1), W)
        drawn = block.ids.tolist()
        scores = None if block.scores is None else block.scores.tolist()
        for k, writer in list(writing.items()):
            for part in writer.add(drawn[k - first], scores and scores[k - first]):
                yield Piece(k, part.text, part.log_probability)
            if writer.ending:
                del writing[k]
                yield Sample(k, writer.ending, writer.tokens, writer.log_probability)


def read(engine: Engine[Any], ids: list[int], reading: Callable[[float], None] = lambda share: None) -> Any:
    """The state after a text of any length.

    A recurrent network forgets. Of a text longer than `REMEMBERED` the end is read twice: from nothing, and from the
    state after the beginning of the text. Where both predict the same in the end, by the mean Kullback-Leibler
    divergence, what stands before makes no difference; where they do not, four times as much is read, and in the end
    the whole text.
    """
    length = REMEMBERED
    while length < len(ids):
        end = ids[-length:]
        other = read_on(engine, ids[: REMEMBERED // 4], engine.start(1))
        ours: list[NDArray[np.float32]] = []
        theirs: list[NDArray[np.float32]] = []
        state = read_on(engine, end, engine.start(1), lambda share: reading(share / 2), ours)
        read_on(engine, end, other, lambda share: reading((1 + share) / 2), theirs)
        if divergence(np.concatenate(ours), np.concatenate(theirs)) < AGREE:
            return state
        length *= 4
    return read_on(engine, ids, engine.start(1), reading)


def read_on(
    engine: Engine[Any],
    ids: list[int],
    state: Any,
    reading: Callable[[float], None] = lambda share: None,
    predicted: list[NDArray[np.float32]] | None = None,
) -> Any:
    """The state after some more tokens. The logits after the last of them are added to `predicted`, (1, V) each."""
    for at, id in enumerate(ids):
        if at % UNIFORMS == 0:
            reading(at / len(ids))
        logits, state = engine.step(np.array([id]), state)
        if predicted is not None and len(ids) - at <= COMPARED:
            predicted.append(logits)
    return state


def _random(seed: int, sample: int) -> np.random.Generator:
    """The random numbers of one sample."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(sample,))))


def _last(ids: NDArray[Any], window: int) -> NDArray[Any]:
    """The last tokens of each text (B, window), -1 where there are fewer."""
    kept = ids[:, max(0, ids.shape[1] - window) :]
    return np.pad(kept, ((0, 0), (window - kept.shape[1], 0)), constant_values=-1)
