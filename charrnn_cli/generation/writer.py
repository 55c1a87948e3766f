"""One text as its tokens come: joined, cut where it ends, held back where a stop string may have begun."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from charrnn_cli.config import SamplingSettings
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

# why a text ends: by --length, --stop, --lines, --until-line, or because the model ends its document
Ending = Literal["length", "stop", "lines", "line", "document"]
LINE_TOKENS = 1000  # that a line may have after the length is reached, before the text is cut in it


class Part(NamedTuple):
    """What a token adds to the text."""

    text: str
    log_probability: float  # of the token, in nats; NaN where it was not asked for


class Writer:
    """Turns the tokens of one text into parts of it."""

    def __init__(self, vocabulary: Vocabulary, settings: SamplingSettings, prime: list[int]) -> None:
        self.ending: Ending | None = "length" if settings.length == 0 else None
        self.tokens = 0  # after the prime
        self.log_probability = 0.0  # of those
        self._tokens, self._settings = vocabulary.tokens, settings
        self._joiner = tokenizer_of(vocabulary).joiner()
        self._lines = 0
        self._last = vocabulary.end
        self._plain = not (settings.stop or settings.lines or settings.until_line or self._last is not None)
        self._held: list[Part] = []
        for token in vocabulary.decode(prime):  # its end is enough
            self._joiner.add(token)

    def add(self, ids: Sequence[int], scores: Sequence[float] | None = None) -> Iterator[Part]:
        """The parts that are sure once some more tokens are there; sets `ending` where the text ends with them.

        What comes after the end is passed over. `scores` are the tokens' log-probabilities, in nats.
        """
        if self._plain and scores is None and self.tokens + len(ids) < self._settings.length:
            self.tokens += len(ids)
            if text := "".join([self._joiner.add(self._tokens[id]) for id in ids]):
                yield Part(text, math.nan)
            return
        for id, score in zip(ids, scores or itertools.repeat(math.nan), strict=False):
            yield from self._add(id, score)
            if self.ending:
                return

    def _add(self, id: int, log_probability: float) -> Iterator[Part]:
        """The parts that are sure once the token `id` is there."""
        self.tokens += 1
        self.log_probability += log_probability
        text = self._joiner.add(self._tokens[id])
        self._held.append(Part(text, log_probability))
        joined = "".join(part.text for part in self._held)
        cut = self._end(joined, len(joined) - len(text))
        if cut is None and (id == self._last or self._spent()):
            self.ending = "document" if id == self._last else "length"
            self._held.append(Part(self._joiner.end(), log_probability))
            cut = sum(len(part.text) for part in self._held)
        yield from self._take(len(joined) - self._begun(joined) if cut is None else cut)

    def _end(self, joined: str, new: int) -> int | None:
        """Where what is held back, new from `new` on, is cut, if it is: at the first reason for it."""
        ends: list[tuple[int, int, Ending]] = []
        for stop in self._settings.stop:
            if (at := joined.find(stop)) >= 0:
                ends.append((at, at + len(stop) if self._settings.keep_stop else at, "stop"))
        at = joined.find("\n", new)
        while at >= 0:
            self._lines += 1
            if self._lines == self._settings.lines:
                ends.append((at, at + 1, "lines"))
            if self._settings.until_line and self.tokens >= self._settings.length:
                ends.append((at, at + 1, "line"))
            at = joined.find("\n", at + 1)
        if not ends:
            return None
        _, cut, self.ending = min(ends)
        return cut

    def _spent(self) -> bool:
        """Whether the text is as long as it may be."""
        return self.tokens >= self._settings.length + (LINE_TOKENS if self._settings.until_line else 0)

    def _begun(self, joined: str) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        longest = max((len(stop) for stop in self._settings.stop), default=1) - 1
        for size in range(min(longest, len(joined)), 0, -1):
            if any(stop.startswith(joined[-size:]) for stop in self._settings.stop):
                return size
        return 0

    def _take(self, size: int) -> Iterator[Part]:
        """The first `size` characters that are held back."""
        while self._held and len(self._held[0].text) <= size:
            part = self._held.pop(0)
            size -= len(part.text)
            if part.text:
                yield part
        if self._held and size:
            text, log_probability = self._held[0]
            self._held[0] = Part(text[size:], log_probability)
            yield Part(text[:size], log_probability)
