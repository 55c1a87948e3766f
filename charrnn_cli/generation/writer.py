"""Turns the tokens of one text into text, finds its end, and holds back what may be the start of a stop text."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from charrnn_cli.config import SamplingSettings
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary

# Why a text ends: the settings `length`, `stop`, `lines` or `until_line`, or the model ends its document.
Ending = Literal["length", "stop", "lines", "line", "document"]
UNTIL_LINE_TOKENS = 1000  # tokens after `length` within which `until_line` waits for a line break


class TokenText(NamedTuple):
    """The text that a token adds."""

    text: str
    log_probability: float  # of the token, in nats; NaN if not scored
    number: int  # of the token, from 1; the last one if the text is that of several


class Writer:
    """Turns the tokens of one text into pieces of text until the text ends."""

    def __init__(self, vocabulary: Vocabulary, settings: SamplingSettings, prime: Sequence[int]) -> None:
        """`prime` are the ids before the text; the last few are enough."""
        self.ending: Ending | None = "length" if settings.length == 0 else None
        self.tokens = 0  # after the prime
        self.log_probability = 0.0  # of those tokens
        self.scores: list[tuple[str, float]] = []  # those tokens and their log-probabilities, if they are scored
        self._tokens, self._settings = vocabulary.tokens, settings
        self._joiner = tokenizer_of(vocabulary).joiner()
        self._line_breaks = 0
        self._end_id = vocabulary.end
        ends_at_length_only = not (settings.stop or settings.lines or settings.until_line)
        self._simple = ends_at_length_only and self._end_id is None
        self._held: list[TokenText] = []  # may be the start of a stop text
        for token in vocabulary.decode(prime):
            self._joiner.add(token)

    @property
    def most_left(self) -> int:
        """An upper limit on the number of tokens until the text ends."""
        return self._settings.length + (UNTIL_LINE_TOKENS if self._settings.until_line else 0) - self.tokens

    def add(self, ids: Sequence[int], scores: Sequence[float] | None = None) -> Iterator[TokenText]:
        """Yields the text that is certain after more tokens; sets `ending` if the text ends with one of them.

        Ignores tokens after the end. `scores` are the log-probabilities of the tokens, in nats.
        """
        text = self.add_plain(ids) if scores is None else None
        if text is not None:
            if text:
                yield TokenText(text, math.nan, self.tokens)
            return
        for id, score in zip(ids, scores or itertools.repeat(math.nan), strict=False):
            yield from self._add(id, score)
            if self.ending:
                return

    def add_plain(self, ids: Sequence[int]) -> str | None:
        """The text of more tokens if none of them can end the text. If one could, does nothing and returns None."""
        if not self._simple or self.tokens + len(ids) >= self._settings.length:
            return None
        self.tokens += len(ids)
        return "".join([self._joiner.add(self._tokens[id]) for id in ids])

    def _add(self, id: int, log_probability: float) -> Iterator[TokenText]:
        """Yields the text that is certain after one more token."""
        self.tokens += 1
        self.log_probability += log_probability
        if not math.isnan(log_probability):
            self.scores.append((self._tokens[id], log_probability))
        text = self._joiner.add(self._tokens[id])
        self._held.append(TokenText(text, log_probability, self.tokens))
        held = "".join(part.text for part in self._held)
        cut = self._end_position(held, len(held) - len(text))
        if cut is None and (id == self._end_id or self.most_left <= 0):
            self.ending = "document" if id == self._end_id else "length"
            self._held.append(TokenText(self._joiner.end(), log_probability, self.tokens))
            cut = sum(len(part.text) for part in self._held)
        if cut is None:
            cut = len(held) - self._started_stop(held)
        yield from self._release(cut)

    def _end_position(self, held: str, new: int) -> int | None:
        """Where the text ends in `held`, whose characters from `new` on are new; None if it does not end there.

        If several settings end it, the earliest position counts.
        """
        ends: list[tuple[int, int, Ending]] = []  # where the reason starts, where the text is cut, and the reason
        for stop in self._settings.stop:
            start = held.find(stop)
            if start >= 0:
                ends.append((start, start + len(stop) if self._settings.keep_stop else start, "stop"))
        line_break = held.find("\n", new)
        while line_break >= 0:
            self._line_breaks += 1
            if self._line_breaks == self._settings.lines:
                ends.append((line_break, line_break + 1, "lines"))
            if self._settings.until_line and self.tokens >= self._settings.length:
                ends.append((line_break, line_break + 1, "line"))
            line_break = held.find("\n", line_break + 1)
        if not ends:
            return None
        _, cut, self.ending = min(ends)
        return cut

    def _started_stop(self, held: str) -> int:
        """How many of the last characters may be the start of a stop text."""
        longest = max((len(stop) for stop in self._settings.stop), default=1) - 1
        for size in range(min(longest, len(held)), 0, -1):
            if any(stop.startswith(held[-size:]) for stop in self._settings.stop):
                return size
        return 0

    def _release(self, size: int) -> Iterator[TokenText]:
        """Yields the first `size` characters that are held back."""
        while self._held and len(self._held[0].text) <= size:
            part = self._held.pop(0)
            size -= len(part.text)
            if part.text:
                yield part
        if self._held and size:
            text = self._held[0].text
            self._held[0], released = (self._held[0]._replace(text=part) for part in (text[size:], text[:size]))
            yield released
