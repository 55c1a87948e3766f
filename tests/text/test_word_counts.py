from collections import Counter

from charrnn_cli.text import word_counts
from charrnn_cli.text.word_counts import WordCounts


def test_counts_of_all_texts_are_added():
    words = WordCounts()
    words.add(Counter(a=1, b=2))
    words.add(Counter(a=3))
    assert (words.counts, words.lowered) == (Counter(a=4, b=2), 0)


def test_with_too_many_words_every_count_is_lowered_until_the_rarest_are_gone(monkeypatch):
    monkeypatch.setattr(word_counts, "MAX_DISTINCT", 2)
    words = WordCounts()
    words.add(Counter(a=5, b=1, c=2, d=4))
    assert (words.counts, words.lowered) == (Counter(a=3, d=2), 2)
