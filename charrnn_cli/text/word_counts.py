"""Word counts of a text, in memory that does not grow with the text."""

from collections import Counter

MAX_DISTINCT = 1 << 20  # different words that are counted at the same time; bounds memory


class WordCounts:
    """Counts words. If there are more than MAX_DISTINCT different ones, the rarest are dropped.

    Each time, every count is lowered by one, and words whose count is then 0 are removed (Misra and Gries 1982).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lowered = 0  # how often every count was lowered

    def add(self, words: Counter[str]) -> None:
        """Adds the counts of more words."""
        self.counts.update(words)
        while len(self.counts) > MAX_DISTINCT:
            self.lowered += 1
            self.counts = Counter({word: count - 1 for word, count in self.counts.items() if count > 1})
