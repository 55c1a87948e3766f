"""Keeps the texts that meet all conditions, and refuses the others.

To add a condition, add an entry to `CONDITIONS`, and its setting to `SelectionSettings`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from charrnn_cli.config import SamplingSettings, SelectionSettings
from charrnn_cli.errors import SelectionError
from charrnn_cli.generation.texts import Piece, Sample, in_order
from charrnn_cli.generation.validator import Validator
from charrnn_cli.setting import defaults
from charrnn_cli.text.entries import Entries, entry_hash
from charrnn_cli.wording import check_names, quantity

ROUND_GROWTH = 4  # every round writes texts until there are this many times as many

Write = Callable[..., Iterable[Piece | Sample]]  # `write(n, first=k)` writes texts k to n - 1
Test = Callable[[str], bool]  # whether a text meets a condition


class Condition(NamedTuple):
    """A setting that refuses texts."""

    setting: str  # a field of SelectionSettings; the condition holds if it is not empty
    test: Callable[[Any, Entries], Test]  # made of the value of the setting and the known texts
    advice: str  # what to change if too many texts are refused


def _not_seen(unique: bool, known: Entries) -> Test:
    """Keeps a text the first time. Remembers only hashes, so that a long list stays small."""
    seen: set[int] = set()

    def test(text: str) -> bool:
        before = len(seen)
        seen.add(entry_hash(text))
        return len(seen) > before

    return test


CONDITIONS = (  # in the order in which they are tested: the slow command comes last
    Condition(
        "max_length",
        lambda longest, known: lambda text: len(text) <= longest,
        "Raise `max_length`, or end texts earlier, for example with `lines=1`.",
    ),
    Condition(
        "starts_with",
        lambda start, known: lambda text: text.startswith(start),
        "Pass the start as `prime`, which every text continues.",
    ),
    Condition(
        "contains",
        lambda parts, known: lambda text: all(part in text for part in parts),
        "Choose a text for `contains` that the model writes more often.",
    ),
    Condition(
        "novel",
        lambda novel, known: lambda text: text not in known,
        "Raise `temperature`, or train for a shorter time: the model knows its text by heart.",
    ),
    Condition("unique", _not_seen, "Raise `temperature`, or ask for fewer texts."),
    Condition(
        "validate",
        lambda command, known: Validator(command).accepts,
        "Run the command of `validate` on a text by hand, to see whether it accepts any.",
    ),
)


def split_settings(
    settings: Mapping[str, Any], function: Callable[..., Any] | None = None
) -> tuple[dict[str, Any], SelectionSettings]:
    """The settings with which texts are written, and those by which they are kept.

    Raises UsageError, with a guess that may be an argument of `function`, the function that was called.
    """
    own = defaults(SelectionSettings)
    check_names(settings, [*defaults(SamplingSettings), *own], "writing", function)
    chosen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    writing = {name: value for name, value in chosen.items() if name not in own}
    return writing, SelectionSettings(**{name: value for name, value in chosen.items() if name in own})


def has_conditions(settings: SelectionSettings) -> bool:
    """Whether the settings may refuse a text."""
    return any(getattr(settings, condition.setting) for condition in CONDITIONS)


class Selection:
    """Keeps or refuses texts, and counts them. It may be used for several lists, which then share `unique`."""

    def __init__(self, settings: SelectionSettings, known: Entries) -> None:
        """`known` are the texts that are not novel. Raises UsageError if the command of `validate` does not exist."""
        self.asked, self.kept = 0, 0
        self.refused: Counter[Condition] = Counter()
        self._settings = settings
        values = ((condition, getattr(settings, condition.setting)) for condition in CONDITIONS)
        self._tests = [(condition, condition.test(value, known)) for condition, value in values if value]

    def select(self, write: Write, count: int, filled: Callable[[int], int] = int) -> Iterator[Piece | Sample]:
        """The events of the first `count` texts that are kept, one text after the other; fewer after too many tries.

        Which texts these are depends neither on `count` nor on the rounds in which they are written. `filled` gives the
        number of texts, at least as many as its argument, that can be written in the same time.
        """
        self.asked += count
        last = self.kept + count
        for text in _candidates(write, count, count * self._settings.tries, filled):
            if self.keeps("".join(event.text for event in text if isinstance(event, Piece))):
                yield from text
                if self.kept == last:
                    return

    def keeps(self, text: str) -> bool:
        """Whether a text meets all conditions. Line breaks around it do not count."""
        inside = text.strip("\n")
        refusing = next((condition for condition, test in self._tests if not test(inside)), None)
        if refusing is None:
            self.kept += 1
        else:
            self.refused[refusing] += 1
        return refusing is None

    @property
    def summary(self) -> str:
        """How many texts were kept, and how many each setting refused."""
        return f"kept {self.kept:,} of {quantity(self._tried, 'texts')}; refused {self._refused_in_words}"

    def check(self, texts: Sequence[object] = ()) -> None:
        """Raises SelectionError, with the texts that were found, if they are fewer than were asked for."""
        if self.kept < self.asked:
            ((worst, _),) = self.refused.most_common(1)
            raise SelectionError(
                f"found only {self.kept:,} of {quantity(self.asked, 'texts')} after writing {self._tried:,}; refused "
                f"{self._refused_in_words}. {worst.advice} Or allow more than `tries={self._settings.tries}`.",
                texts,
            )

    @property
    def _tried(self) -> int:
        return self.kept + self.refused.total()

    @property
    def _refused_in_words(self) -> str:
        counts = [f"{count:,} by `{condition.setting}`" for condition, count in self.refused.most_common()]
        return ", ".join(counts) or "none"


def _candidates(write: Write, count: int, limit: int, filled: Callable[[int], int]) -> Iterator[list[Piece | Sample]]:
    """The events of each text, by number. The first round writes about `count` texts, and each later one more."""
    first, last = 0, min(filled(count), limit)
    while first < limit:
        text: list[Piece | Sample] = []
        for event in in_order(write(last, first=first), first):
            text.append(event)
            if isinstance(event, Sample):
                yield text
                text = []
        first, last = last, min(filled(ROUND_GROWTH * last), limit)
