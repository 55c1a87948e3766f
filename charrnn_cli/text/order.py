"""Whether the documents of a text are in alphabetical order.

Then those that are held out all begin with the last letters, and tell little about the rest.
"""

import numpy as np

from charrnn_cli.text.token_ids import TokenIds
from charrnn_cli.text.vocabulary import Vocabulary

LEAST_DOCUMENTS, LEAST_LETTERS = 20, 5  # fewer may be in order by chance
READ = 1 << 20  # tokens at the start of a text
MOST_EXCEPTIONS = 0.02  # of the documents, such as names with accents


def is_sorted(ids: TokenIds, vocabulary: Vocabulary) -> bool:
    """Whether the documents of a text, given as ids of characters, are sorted by their first character.

    The ids of characters are in the order of their code points. Lower case sorts after upper case.
    """
    if vocabulary.end is None or vocabulary.level != "char":
        return False
    ids = ids[:READ]
    starts = np.flatnonzero(ids[:-1] == vocabulary.end) + 1
    first = ids[np.concatenate([[0], starts])].astype(np.int64)
    if len(first) < LEAST_DOCUMENTS or len(np.unique(first)) < LEAST_LETTERS:
        return False
    return float((np.diff(first) < 0).mean()) <= MOST_EXCEPTIONS
